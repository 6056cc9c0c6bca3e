"""One real Kafka broker on loopback, without Docker: Apache Kafka from Maven Central.

``python tools/kafka.py start|stop|status|jars`` keeps one under ``.kafka/``; tests make their own
`Broker` in a directory and on a port of its own. Both share the jars, which Maven fetches once
for each content of pom.xml. KRaft, one node that is broker and controller, as in the quick
start of the Kafka documentation (https://kafka.apache.org/quickstart).
"""

import base64
import contextlib
import fcntl
import hashlib
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HOME = ROOT / ".kafka"
PORT = 9092
JAVA = 17  # Kafka 4 needs it
START_SECONDS = 120.0
STOP_SECONDS = 30.0
READY = b"Kafka Server started"
GOAL = "dependency:copy-dependencies"

PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={data}
auto.create.topics.enable=false
num.partitions=1
offsets.topic.num.partitions=4
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
broker.heartbeat.interval.ms=500
broker.session.timeout.ms=3000
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=6000
log.segment.bytes=67108864
log.cleaner.dedupe.buffer.size=16777216
"""

# Small, and up soon: the second compiler and a parallel collector cost more than they gain here.
MACHINE = ("-Xms128m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
LOGGING = (
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSS",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=info",
)


class KafkaError(Exception):
    """The broker cannot be had, and why."""


class Broker:
    """A broker that lives in `home`: its properties, data, log and pid file.

    `bound` ties it to this process: it ends when this process does, however that ends. `more`
    are properties that outrank ours; ``{port}`` and ``{controller}`` in them are filled in.
    """

    def __init__(
        self, home: Path, port: int, controller: int, *, bound: bool = False, more: str = ""
    ) -> None:
        self.home = home
        self.port = port
        self.controller = controller
        self.bootstrap = f"127.0.0.1:{port}"
        self.log = home / "broker.log"
        self._data = home / "data"
        self._properties = home / "server.properties"
        self._pid = home / "broker.pid"
        self._bound = bound
        self._more = more
        self._child: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it unless it runs, and return when it serves. Raises KafkaError."""
        if self.pid is not None:
            self._wait_ready(0)
            return
        java, jars = find_java(), fetch_jars()
        self.home.mkdir(parents=True, exist_ok=True)
        self._properties.write_text(
            (PROPERTIES + self._more).format(
                port=self.port, controller=self.controller, data=self._data
            ),
            encoding="utf-8",
        )
        for port in (self.port, self.controller):
            if not is_free(port):
                raise KafkaError(f"port {port} of 127.0.0.1 is taken by another program")
        command = [java, *MACHINE, *LOGGING]
        command += ["-cp", f"{jars}/*"]
        if not (self._data / "meta.properties").exists():
            self._format(command)
        with self.log.open("ab") as log:
            before = log.tell()
            self._child = subprocess.Popen(
                [*tied(self._bound), *command, "kafka.Kafka", str(self._properties)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.home,
                start_new_session=True,
            )
        self._pid.write_text(f"{self._child.pid}\n", encoding="ascii")
        self._wait_ready(before)

    def stop(self) -> bool:
        """End it in order, by its pid. False where none ran."""
        return self._end(signal.SIGTERM)

    def kill(self) -> bool:
        """kill -9, as a crash would. `start` brings it back with its data."""
        return self._end(signal.SIGKILL)

    @property
    def pid(self) -> int | None:
        """Its process id while it runs: the pid file counts only if the process is a broker
        that was started with our properties."""
        if self._child is not None:
            return self._child.pid if self._child.poll() is None else None
        try:
            pid = int(self._pid.read_text(encoding="ascii"))
        except (FileNotFoundError, ValueError):
            return None
        shown = subprocess.run(
            ["ps", "-p", str(pid), "-o", "args="], capture_output=True, text=True, check=False
        )
        return pid if str(self._properties) in shown.stdout else None

    def _format(self, command: list[str]) -> None:
        # Kafka's Uuid: the 16 bytes in URL-safe base64 without padding.
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        tool = [*command, "kafka.tools.StorageTool", "format", f"--cluster-id={cluster}"]
        done = subprocess.run(
            [*tool, "-c", str(self._properties)],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise KafkaError(f"its directory cannot be prepared:\n{done.stdout}{done.stderr}")

    def _wait_ready(self, before: int) -> None:
        def ready() -> bool:
            if self.pid is None:
                raise KafkaError(f"the broker ended at once; {self.log} ends with:\n{self._tail()}")
            with self.log.open("rb") as log:
                log.seek(before)
                return READY in log.read() and not is_free(self.port)

        if not wait(ready, START_SECONDS):
            raise KafkaError(f"the broker is not ready after {START_SECONDS:.0f} s; see {self.log}")

    def _end(self, how: signal.Signals) -> bool:
        pid = self.pid
        if pid is not None:
            os.kill(pid, how)
            if not wait(lambda: self.pid is None, STOP_SECONDS):
                os.kill(pid, signal.SIGKILL)
                wait(lambda: self.pid is None, STOP_SECONDS)
        self._child = None
        self._pid.unlink(missing_ok=True)
        return pid is not None

    def _tail(self) -> str:
        return "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-15:])


def wait(done: Callable[[], bool], seconds: float) -> bool:
    """Whether `done` came true within `seconds`."""
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def tied(bound: bool) -> list[str]:
    """What makes the kernel end a program with its parent (prctl(2), PR_SET_PDEATHSIG)."""
    setpriv = shutil.which("setpriv") if bound else None
    return [setpriv, "--pdeathsig", "KILL"] if setpriv else []


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on, below those that the kernel gives to clients (32768 on, on
    Linux): there nobody takes them by chance while a broker is down."""
    found: list[int] = []
    while len(found) < count:
        port = random.randrange(20000, 32000)
        if port not in found and is_free(port):
            found.append(port)
    return found


def find_java() -> str:
    """The java program. Raises KafkaError where there is none, or one that is too old."""
    home = os.environ.get("JAVA_HOME")
    java = shutil.which(str(Path(home) / "bin" / "java") if home else "java")
    if java is None:
        raise KafkaError(
            f"java is missing: install Java {JAVA} or later (Debian: openjdk-17-jre-headless)"
        )
    shown = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    version = shown.partition('version "')[2].partition(".")[0].partition('"')[0]
    if version.isdigit() and int(version) < JAVA:
        raise KafkaError(f"{java} is Java {version}; Kafka needs Java {JAVA} or later")
    return java


def fetch_jars() -> Path:
    """The folder of Kafka's jars. Fetched when pom.xml has changed, by one process at a time;
    the others wait for it. Raises KafkaError."""
    pom = ROOT / "pom.xml"
    jars = HOME / "jars"
    stamp = jars / "pom.sha256"
    wanted = hashlib.sha256(pom.read_bytes()).hexdigest()
    HOME.mkdir(exist_ok=True)
    with locked(HOME / "jars.lock"):
        if stamp.exists() and stamp.read_text(encoding="ascii") == wanted:
            return jars
        maven = shutil.which("mvn")
        if maven is None:
            raise KafkaError("mvn is missing: it fetches Kafka's jars (Debian: maven)")
        fresh = HOME / "jars.new"
        shutil.rmtree(fresh, ignore_errors=True)
        done = subprocess.run(
            [maven, "-q", "-B", "-f", str(pom), GOAL, f"-DoutputDirectory={fresh}"],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise KafkaError(f"mvn could not fetch Kafka's jars:\n{done.stdout}{done.stderr}")
        (fresh / stamp.name).write_text(wanted, encoding="ascii")
        shutil.rmtree(jars, ignore_errors=True)
        fresh.rename(jars)
    return jars


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def main(arguments: list[str]) -> int:
    broker = Broker(HOME, PORT, PORT + 1)
    try:
        match arguments:
            case ["start"]:
                broker.start()
                print(f"Kafka serves at {broker.bootstrap} (pid {broker.pid}, log {broker.log})")
            case ["stop"]:
                print("Kafka is stopped" if broker.stop() else "Kafka did not run")
            case ["status"]:
                print(f"Kafka runs, pid {broker.pid}" if broker.pid else "Kafka does not run")
                return 0 if broker.pid else 1
            case ["jars"]:
                fetch_jars()
            case _:
                print("usage: python tools/kafka.py start|stop|status|jars", file=sys.stderr)
                return 2
    except KafkaError as error:
        print(f"Kafka: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

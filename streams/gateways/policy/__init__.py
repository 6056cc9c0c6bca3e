"""Postfix's policy delegation, which Exim speaks as well by ``${readsocket}``.

Asked at connect, at each recipient, and at DATA or at the end of a message, it answers from the
block list in memory: there is no file and no network on the way to an answer.

What a request tells
--------------------
A request says who wants to send what to whom before any log has a line of it, and before the
server has judged it. So it is no offence (whether the recipient exists is not known yet), and
whatever it says, the server's log says again a moment later with the verdict. There is no number
by which the two could be told to be one before a message has its queue id, and over Kafka they
come to the detectors on different ways. Therefore requests are counted here and nowhere else: for
the limits of accounts, which hold before a line is written.

Only with ``report = true`` the detectors hear of messages: each that was let pass at
END-OF-MESSAGE, once, as the ``message`` event that the log would have given. That is for servers
whose log nobody reads; `review` says so. No ``recipient`` is ever reported, since its verdict is
not known here, and an "accepted" would speak for those who guess addresses.
"""

import asyncio
import logging
import socket
import time
from collections import Counter
from collections.abc import Callable

from schemas import events, keys
from schemas.findings import Decision
from streams import metrics
from streams.gateway import GatewaySettings, Note
from streams.gateways.policy import protocol
from streams.gateways.policy.answer import AWAKE, LOGINS, NEUTRAL, SHARE, Answerer, Mail
from streams.gateways.policy.connection import Connection
from streams.gateways.policy.protocol import Attributes, Request
from streams.gateways.policy.review import review
from streams.gateways.policy.settings import PolicySettings
from streams.serving import Serving, bound

__all__ = ["Policy", "PolicySettings"]

log = logging.getLogger(__name__)

BACKLOG = 1024
BATCH = 32  # connections whose answers are made before they are written
TICK = 0.05  # seconds between two looks whether the loop is late
SWEEP = 30.0  # seconds between two looks for connections that are dead
IDLE = 600.0  # seconds of silence; Postfix closes after 300 (smtpd_policy_service_max_idle)

SILENT = protocol.answer(NEUTRAL.action)

NETWORK = frozenset({"reject", "drop", "tarpit", "greylist", "hold", "stamp"})
LOGIN = frozenset({"reject", "drop", "lock", "tarpit", "limit", "hold", "stamp"})


class Policy(Serving):
    """Answers mail servers, each request in time or neutrally."""

    Settings = PolicySettings
    blind_to = "logins by IMAP and POP3, nor any command at which it is not asked"
    settings: PolicySettings

    def __init__(
        self,
        settings: GatewaySettings,
        name: str = "policy",
        lifted: Callable[[], bool] = lambda: False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(settings, name, lifted)
        own = self.settings
        self.now = clock
        self._answerer = Answerer(
            tarpit=own.tarpit, processes=own.processes, greylist=own.greylist, limit=own.limit
        )
        self._connections: set[Connection] = set()
        self._asking: list[Connection] = []
        self._server: asyncio.Server | None = None
        self.address: object = None  # where it listens: host and port, or the path of a socket
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0  # when the loop should look again
        self._late = False
        self._next_sweep = 0.0
        self._asked = float("-inf")  # when a mail server asked last
        self._failed = False  # an answer failed, and it was logged
        self._host = own.host or socket.gethostname()
        self._counts = Counter[str]()  # answers by kind that the metrics do not know of yet
        self._shed = metrics.SHED.labels(self.name)

    def reaches(self, decision: Decision) -> bool:
        kind, action = decision.target.kind, decision.action
        settings = self.settings
        if action == "tarpit" and not (settings.tarpit > 0 and settings.processes >= SHARE):
            return False
        return action in (LOGIN if kind in LOGINS else NETWORK)

    def review(self) -> list[Note]:
        return review(self.settings)

    # -- on the loop --------------------------------------------------------------------------

    async def begin(self) -> None:
        loop = asyncio.get_running_loop()
        listener = bound(self.settings)
        serve = loop.create_unix_server if listener.family == socket.AF_UNIX else loop.create_server
        try:
            self._server = await serve(lambda: Connection(self), sock=listener, backlog=BACKLOG)
        except BaseException:
            listener.close()
            raise
        self.address = listener.getsockname()
        self._due = self.now()
        self._tick()

    async def end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._server is not None:
            self._server.close()
        for connection in list(self._connections):
            connection.close()
        self._tell_metrics()

    def come(self, connection: Connection) -> bool:
        if len(self._connections) >= self.settings.connections:
            self._shed.inc()
            return False
        self._connections.add(connection)
        return True

    def go(self, connection: Connection) -> None:
        self._connections.discard(connection)

    def soon(self, connection: Connection) -> None:
        if not self._asking:
            asyncio.get_running_loop().call_soon(self._answer_all)
        self._asking.append(connection)

    def _answer_all(self) -> None:
        """All who have asked in this turn. To read, to answer and to write by turns for each of
        them takes half as much time again: each drives the others out of the processor's caches."""
        asking, self._asking = self._asking, []
        for begin in range(0, len(asking), BATCH):
            some = asking[begin : begin + BATCH]
            for connection, answers in [(one, one.answers()) for one in some]:
                connection.say(answers)

    def answer(self, attributes: Attributes, mail: Mail) -> bytes:
        """The answer to a question, whatever is wrong with it or with us."""
        try:
            return self._answer(attributes, mail)
        except Exception:
            # The mail server must go on: what fails here has failed for this question only.
            metrics.GATEWAY_FAILURES.labels(self.name).inc()
            if not self._failed:
                self._failed = True
                log.exception("gateway=%s an answer failed; told once", self.name)
            return SILENT

    def _answer(self, attributes: Attributes, mail: Mail) -> bytes:
        kind = attributes["request"]
        if kind != protocol.ASKED:
            return self._status() if kind == protocol.STATUS else SILENT
        now = self._asked = self.now()
        if self._late or now - self._due > self.settings.timeout:
            self._shed.inc()
            return SILENT
        request = protocol.request(attributes, self.settings.login_domain)
        answer = self._answerer.answer(request, self._ruled(request), mail, now)
        if answer is AWAKE:
            self._shed.inc()
        self._counts[answer.kind] += 1
        if self.settings.report and answer.kind in ("neutral", "hold"):
            self._report(request, attributes, mail)
        return SILENT if answer.action == NEUTRAL.action else protocol.answer(answer.action)

    def _ruled(self, request: Request) -> Decision | None:
        account, sender, recipient = request.account, request.sender, request.recipient
        mailboxes = []
        for one in (sender, recipient):
            if one:
                mailboxes.append(one)
                # Decisions name addresses in their one spelling, a person's perhaps as typed.
                if "+" in one or "=" in one:
                    mailboxes.append(keys.mailbox(one))
        domain = sender.rpartition("@")[2]
        return self.ruling(
            request.client,
            account,
            mailboxes=mailboxes,
            domains=(domain,) if domain else (),
            ours=(account or recipient).rpartition("@")[2],
        )

    def _tell_metrics(self) -> None:
        for kind, count in self._counts.items():
            metrics.ANSWERS.labels(self.name, kind).inc(count)
        self._counts.clear()

    def _report(self, request: Request, attributes: Attributes, mail: Mail) -> None:
        if request.state != "END-OF-MESSAGE" or mail.reported or self._site is None:
            return
        mail.reported = True
        told = events.Message(
            at=time.time(),
            gateway=self._host,
            source="policy",
            client=request.client,
            account=request.account,
            sender=request.sender,
            queue_id=attributes.get("queue_id", "")[: protocol.LONGEST_NAME],
            recipients=request.recipients,
            size=protocol.number(attributes.get("size", "")),
        )
        self._site.publish([told])

    def _status(self) -> bytes:
        """For `review`, which runs in another process."""
        asked = int(self.now() - self._asked) if self._asked > float("-inf") else -1
        word = "yes" if self._open else "no"
        return f"action={NEUTRAL.action}\nasked={asked}\nenforces={word}\n\n".encode()

    def _tick(self) -> None:
        """How long what comes next may have waited: a loop that was held up looks late."""
        now = self.now()
        self._late = now - self._due > self.settings.timeout
        self._due = now + TICK
        self._tell_metrics()
        if now >= self._next_sweep:
            self._next_sweep = now + SWEEP
            for connection in [one for one in self._connections if one.heard <= now - IDLE]:
                connection.close()
        self._timer = asyncio.get_running_loop().call_later(TICK, self._tick)

"""Real shippers of Debian, unpacked beside each other, ship a file to the real broker."""

import socket
import time
from pathlib import Path

import pytest

from schemas.events import Auth
from tests.intake.conftest import Site
from tests.programs import LIBRARIES, running, unpacked
from tests.servers.conftest import listens
from tests.waiting import wait_for
from tools.kafka import free_ports

pytestmark = [pytest.mark.broker, pytest.mark.servers, pytest.mark.xdist_group("broker")]

RSYSLOG = """\
global(workDirectory="{folder}")
module(load="{modules}/imfile")
module(load="{modules}/imptcp")
module(load="{modules}/omkafka")
template(name="properties" type="list" option.jsonf="on") {{
  property(outname="@timestamp" name="timereported" dateFormat="rfc3339" format="jsonf")
  property(outname="host" name="hostname" format="jsonf")
  property(outname="syslogtag" name="syslogtag" format="jsonf")
  property(outname="message" name="msg" format="jsonf") }}
template(name="everything" type="string" string="%jsonmesg%")
template(name="key" type="string" string="%hostname%")
input(type="imfile" File="{folder}/properties.log" Tag="properties:" freshStartTail="off")
input(type="imfile" File="{folder}/everything.log" Tag="everything:" freshStartTail="off")
input(type="imptcp" address="127.0.0.1" port="{port}")
if $syslogtag == "properties:" then {{
  action(type="omkafka" broker=["{bootstrap}"] topic="{topic}" template="properties"
    dynaKey="on" key="key" confParam=["linger.ms=5"])
}} else if $syslogtag == "everything:" then {{
  action(type="omkafka" broker=["{bootstrap}"] topic="{topic}" template="everything")
}} else if $msg contains "forward" then {{
  action(type="omkafka" broker=["{bootstrap}"] topic="{topic}" template="RSYSLOG_ForwardFormat")
}} else {{
  action(type="omkafka" broker=["{bootstrap}"] topic="{topic}"
    template="RSYSLOG_SyslogProtocol23Format")
}}
"""

SYSLOG_NG = """\
@version: 3.38
options {{ keep-hostname(yes); }};
source one {{ file("{folder}/scope.log" follow-freq(0.2)); }};
source two {{ file("{folder}/bare.log" follow-freq(0.2)); }};
source three {{ file("{folder}/plain.log" follow-freq(0.2) flags(no-parse)); }};
destination one {{ kafka-c(bootstrap-servers("{bootstrap}") topic("{topic}")
  persist-name("one") message("$(format-json --scope rfc5424 --exclude DATE --key ISODATE)")); }};
destination two {{ kafka-c(bootstrap-servers("{bootstrap}") topic("{topic}")
  persist-name("two")
  message("$(format-json PROGRAM=$PROGRAM PID=$PID MESSAGE=$MESSAGE HOST=$HOST DATE=$DATE)")); }};
destination three {{ kafka-c(bootstrap-servers("{bootstrap}") topic("{topic}")
  persist-name("three") message("$MESSAGE")); }};
log {{ source(one); destination(one); }};
log {{ source(two); destination(two); }};
log {{ source(three); destination(three); }};
"""


def write(folder: Path, *names: str) -> set[str]:
    """A file of each name with failed logins, half of it before and half after its shipper
    starts; whose they are."""
    found = set()
    for index, name in enumerate(names):
        with (folder / f"{name}.log").open("a") as file:
            for number in range(20):
                account = f"{name}{number}@example.org"
                when = time.gmtime(time.time() - 300 + number)
                stamp = time.strftime(
                    "%b %e %H:%M:%S" if number % 2 else "%Y-%m-%dT%H:%M:%SZ", when
                )
                file.write(
                    f"{stamp} mx{index} postfix/submission/smtpd[{number}]: warning: "
                    f'unknown[192.0.2.{number}]: SASL PLAIN authentication failed: "x" \\ café, '
                    f"sasl_username={account}\n"
                )
                found.add((account, f"mx{index}"))
    return found


def accounts(site: Site) -> set[str]:
    now = time.time()
    events = [event for event in site.events() if isinstance(event, Auth)]
    assert all(now - 400 < event.at < now - 100 for event in events), events
    # RSYSLOG_SyslogProtocol23Format cuts the tag at its first slash.
    assert all(e.service == "submission" or e.account.startswith("protocol") for e in events)
    return {(event.account, event.gateway) for event in events}


def send(port: int, *paths: Path) -> None:
    """The lines of files, as syslog sends them."""
    wait_for(lambda: listens(port), "somebody who listens")
    with socket.create_connection(("127.0.0.1", port)) as connection:
        for path in paths:
            for line in path.read_bytes().splitlines():
                connection.sendall(b"<22>" + line + b"\n")


def test_rsyslog_ships_a_file(site: Site) -> None:
    prefix, folder = unpacked("rsyslog-kafka"), site.home
    topic = site.topic("rsyslog", 2)
    site.configure("[intake]\ntopics = ['rsyslog']\n")
    found = write(folder, "properties", "everything", "forward", "protocol")
    port = free_ports(1)[0]
    modules = prefix / LIBRARIES / "rsyslog"
    (folder / "rsyslog.conf").write_text(
        RSYSLOG.format(
            folder=folder, modules=modules, bootstrap=site.bootstrap, topic=topic, port=port
        )
    )
    arguments = ["-n", "-f", str(folder / "rsyslog.conf"), "-i", str(folder / "pid")]
    with running(prefix, "usr/sbin/rsyslogd", folder, *arguments, "-M", str(modules)):
        site.start()
        send(port, folder / "forward.log", folder / "protocol.log")
        site.wait(lambda: accounts(site) >= found)
    assert accounts(site) == found


def test_syslog_ng_ships_a_file(site: Site) -> None:
    prefix, folder = unpacked("syslog-ng-mod-rdkafka"), site.home
    topic = site.topic("syslog-ng", 2)
    site.configure("[intake]\ntopics = ['syslog-ng']\n")
    found = write(folder, "scope", "bare", "plain")
    (folder / "syslog-ng.conf").write_text(
        SYSLOG_NG.format(folder=folder, bootstrap=site.bootstrap, topic=topic)
    )
    modules = next((prefix / "usr/lib/syslog-ng").glob("*/"))
    arguments = ["-F", "--no-caps", "-f", str(folder / "syslog-ng.conf")]
    arguments += [f"--module-path={modules}", f"--persist-file={folder}/persist"]
    arguments += [f"--control={folder}/control", f"--pidfile={folder}/pid"]
    with running(prefix, "usr/sbin/syslog-ng", folder, *arguments):
        site.start()
        site.wait(lambda: accounts(site) >= found)
    assert accounts(site) == found

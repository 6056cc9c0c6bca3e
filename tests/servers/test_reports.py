"""What a real Postfix reports of its failures, handed over by it to our LMTP intake."""

import time
from collections.abc import Iterator

import msgspec
import pytest

from schemas.events import Bounce, Fact
from streams.sources.intake.lmtp import Lmtp
from tests.servers.conftest import ACCOUNTS, LEFT, PASSWORD, REPORTS, MailServer
from tests.waiting import wait_for

pytestmark = [pytest.mark.servers, pytest.mark.xdist_group("mail_server")]

SENDER = "192.0.2.5"
LETTER = "From: <{}>\r\nSubject: minutes\r\nMessage-ID: <{}>\r\n\r\nas promised\r\n"


@pytest.fixture
def intake(mail_server: MailServer) -> Iterator[Lmtp]:
    listen = f"127.0.0.1:{mail_server.reports}"
    intake = Lmtp(listen, gateway="mx1", largest=1 << 20, connections=10)
    yield intake
    intake.close()


def test_postfix_hands_its_reports_over(mail_server: MailServer, intake: Lmtp) -> None:
    smtp = mail_server.speak_smtp(SENDER, mail_server.submission)
    smtp.login(ACCOUNTS[0], PASSWORD)
    begun = time.time()
    for number in range(3):
        letter = LETTER.format(REPORTS, f"m{number}@example.org")
        smtp.sendmail(REPORTS, [LEFT], letter)
    smtp.quit()
    events: list[Fact] = []

    def three() -> bool:
        events.extend(intake.take()[1])
        intake.safe()
        return len(events) >= 3

    wait_for(three, "three reports")
    bounces = [event for event in events if isinstance(event, Bounce)]
    assert sorted(b.about for b in bounces) == [f"m{number}@example.org" for number in range(3)]
    assert {(b.failed_recipient, b.recipient, b.code, b.enhanced, b.reason) for b in bounces} == {
        (LEFT, REPORTS, 550, "5.1.1", "user_unknown")
    }
    assert all(begun <= b.at <= time.time() for b in bounces)
    nothing = msgspec.msgpack.encode([])
    wait_for(lambda: intake.position() == nothing, "Postfix hears that all is taken")

"""An incident as it is told: agents/incidents/story.py, timeline.py, decided.py, revisions.py."""

from typing import Any

from msgspec import structs

from agents.incidents.assembling import incidents
from agents.incidents.incident import Incident
from agents.incidents.revisions import KEPT
from agents.incidents.story import ACTS
from agents.incidents.timeline import ENDS, MOMENTS
from agents.naming import NAMES
from agents.response import Response
from schemas.events import Message
from schemas.findings import Alert, Evidence, Severity, Subject
from schemas.net import Networks
from schemas.settings import ResponseSettings
from tests.detectors.stories import START as BEGUN
from tests.incidents.alerts import (
    ANNA,
    BERT,
    DAY,
    FAR,
    GUESSER,
    START,
    account,
    alert,
    client,
    decision,
    entry,
)
from tests.test_incidents import VICTIM, findings, guess, guesses


def one(*alerts: Alert, **more: Any) -> Incident:
    [found] = incidents(alerts, window=DAY, **more).incidents
    return found


def breach(name: str, address: str, first: float, by: str = GUESSER) -> Alert:
    return account(name, address, first, detector="auth_breach", clients=[by], incident="a1")


def burst(name: str, address: str, first: float, sent: int, by: str = GUESSER) -> Alert:
    evidence = [Evidence("volume", sent, 100, "recipients"), Evidence("senders", 9000, 5)]
    return account(name, address, first, clients=[by], evidence=evidence, incident="a1")


def test_every_detector_has_its_words() -> None:
    assert set(ACTS) == set(NAMES)


def test_guessing_breach_and_mail_are_one_sentence() -> None:
    found = one(alert("a1", incident="a1"), burst("c1", ANNA, 20.0, 530), breach("b1", ANNA, 30.0))
    assert found.story == (
        f"{GUESSER} guessed at {ANNA}, then logged in as {ANNA},"
        f" then sent mail as {ANNA} to 530 recipients"
    )
    assert (found.accused, found.attacked, found.hijacked) == ([GUESSER], [ANNA], [ANNA])


def test_who_goes_on_is_named_where_it_is_somebody_else() -> None:
    found = one(alert("a1", incident="a1"), breach("b1", ANNA, 10.0, FAR))
    assert found.story == f"{GUESSER} guessed at {ANNA}, then {FAR} logged in as {ANNA}"


def test_many_are_counted_and_what_an_alert_states_beyond_its_names_counts() -> None:
    alerts = [
        client(f"a{n}", f"198.51.{n}.7", n, incident="a0", targets=[ANNA, BERT], targets_count=40)
        for n in range(9)
    ]
    assert one(*alerts).story == (
        f"198.51.0.7 and 8 more clients guessed at {ANNA} and 39 more accounts"
    )
    two = client("a0", GUESSER), client("a1", FAR, 1.0, incident="a0", targets=[BERT])
    assert one(*two).story == f"{GUESSER} and {FAR} guessed at {ANNA} and {BERT}"


def test_clients_that_nobody_names_are_counted() -> None:
    site = {"subject": Subject("site", "site"), "clients": [], "clients_count": 28}
    whole = alert("a1", detector="auth_campaign", incident="a1", **site)
    assert (
        one(whole, alert("a2", 1.0, incident="a1", **site)).story == f"28 clients guessed at {ANNA}"
    )


def test_what_the_detectors_conclude_is_one_story() -> None:
    mail = [
        Message(at=BEGUN + 400 + n, client=GUESSER, account=VICTIM, sender=VICTIM, recipients=100)
        for n in range(20)
    ]
    found = findings(guesses(GUESSER), guess(200, GUESSER, VICTIM, "ok"), mail)
    response = Response(ResponseSettings(), Networks(), Networks())
    alerts, decisions = [], []
    for finding in found.values():
        told, decided = response.answer(finding, {}, finding.at)
        alerts.append(told)
        decisions += [decided] if decided else []
    whole = one(*alerts, decisions=decisions)
    assert whole.story.startswith(f"{GUESSER} guessed at user0@example.org and 14 more accounts")
    assert whole.story.endswith(f", then logged in as {VICTIM}, then sent mail as {VICTIM}")
    assert (whole.severity, whole.hijacked, whole.accused) == ("critical", [VICTIM], [GUESSER])
    assert whole.decisions_count == len(decisions) > 0


def test_one_alert_tells_itself_without_the_advice() -> None:
    assert one(alert("a1", summary="mx1 is open. The cure: close it")).story == "mx1 is open"


def test_what_is_withdrawn_is_left_out_and_accuses_nobody() -> None:
    gone = breach("b1", ANNA, 10.0, FAR)
    gone = structs.replace(gone, state="withdrawn")
    found = one(alert("a1", incident="a1"), gone)
    assert "logged in" not in found.story
    assert found.accused == [GUESSER]
    assert found.hijacked == []


def test_info_accuses_nobody_and_our_own_servers_are_their_own_actors() -> None:
    mx = Subject("gateway", "mx1")
    own = {"subject": mx, "clients": [], "clients_count": 0}
    found = one(
        alert("a1", detector="queue_growth", **own),
        alert("a2", 1.0, detector="gateway_silent", severity="info", **own),
        alert("a3", 2.0, detector="not_known_here", **own),
    )
    assert (
        found.story == "mx1 had its queue grow, then fell silent, then is told of by not_known_here"
    )
    assert found.accused == []


def test_no_sentence_grows_without_end() -> None:
    names = [name for name in ACTS if ACTS[name].actor == "client"]
    alerts = [alert(f"a{n}", n, detector=name) for n, name in enumerate(names)]
    assert one(*alerts).story.endswith("and 5 more things")


# -- the timeline -------------------------------------------------------------------------------


def told(found: Incident) -> list[tuple[str, str, float]]:
    return [(moment.what, moment.text, moment.at - START) for moment in found.timeline]


def test_openings_severity_and_withdrawals_from_all_revisions() -> None:
    def revision(number: int, at: float, severity: Severity, state: Any = "open") -> Alert:
        more = {"revision": number, "at": START + at, "state": state}
        return alert("a1", last=at, severity=severity, **more)

    revisions = [
        revision(4, 40, "high", "withdrawn"),
        revision(1, 10, "low"),
        revision(3, 30, "high"),
        revision(2, 20, "low"),
        revision(5, 50, "medium"),
    ]
    assert told(one(*revisions)) == [
        ("alert", f"low: auth_dictionary dictionary {GUESSER}", 0.0),
        ("severity", f"{GUESSER} rose to high", 30.0),
        ("withdrawn", GUESSER, 40.0),
        ("severity", f"{GUESSER} fell to medium", 50.0),
        ("stands again", GUESSER, 50.0),
    ]


def test_thousands_of_revisions_are_few_changes() -> None:
    revisions = [
        alert("a1", revision=n, severity="low" if n < 1000 else "high", at=START + n)
        for n in range(1, 3000)
    ]
    assert [what for what, _, _ in told(one(*revisions))] == ["alert", "severity"]
    flips = [
        alert("a1", revision=n, severity="low" if n % 2 else "high", at=START + n)
        for n in range(1, 1000)
    ]
    assert len(told(one(*flips))) <= KEPT


def test_a_withdrawal_is_told_where_only_the_newest_revision_is_kept() -> None:
    gone = alert("a1", state="withdrawn", revision=7, at=START + 9, summary="it was the boss")
    assert told(one(gone))[1] == ("withdrawn", "it was the boss", 9.0)


def test_of_too_many_moments_the_first_and_the_newest() -> None:
    alerts = [client(f"c{n}", GUESSER, n, incident="c0") for n in range(MOMENTS + 100)]
    found = one(*alerts)
    assert (len(found.timeline), found.timeline_count) == (MOMENTS, MOMENTS + 100)
    assert found.timeline[ENDS - 1].at == START + ENDS - 1
    assert found.timeline[-1].at == START + MOMENTS + 99


def test_decisions_of_its_alerts_and_of_persons_about_those_who_took_part() -> None:
    automatic, manual = decision(GUESSER, 5.0, "a1"), decision(GUESSER, 9.0)
    foreign, later = decision(FAR, 5.0, "x1"), decision(GUESSER, 3 * DAY)
    trail = [
        entry("decided", GUESSER, 5.0, "a1", enforced=True),
        entry("decided", GUESSER, 6.0, "a1"),
        entry("decided", GUESSER, 7.0, "a1", since=START + 7, until=START + 7),
        entry("pardoned", GUESSER, 9.0, by="dora"),
        entry("added", FAR, 9.0, by="dora"),
        entry("added", GUESSER, 3 * DAY, by="dora"),
    ]
    found = one(alert("a1"), decisions=[automatic, manual, foreign, later], trail=trail)
    assert found.decisions == [automatic, manual]
    assert found.decisions_count == 2
    assert told(found)[1:] == [
        ("decision", f"decided: drop {GUESSER}", 5.0),
        ("decision", f"decided: drop {GUESSER}, not enforced", 6.0),
        ("decision", f"lifted: drop {GUESSER}", 7.0),
        ("decision", f"pardoned: drop {GUESSER} (why)", 9.0),
    ]
    assert [moment.by for moment in found.timeline[1:]] == ["mailwarden"] * 3 + ["dora"]

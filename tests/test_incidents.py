"""Which findings belong together: agents/engine.py, agents/commands/alerts.py."""

from agents.commands.alerts import together
from agents.detectors.account_burst import AccountBurst
from agents.detectors.auth_breach import AuthBreach
from agents.detectors.auth_campaign import AuthCampaign
from agents.detectors.auth_dictionary import AuthDictionary
from agents.detectors.directory_harvest import DirectoryHarvest
from schemas.events import Auth, Message, Recipient
from schemas.findings import Alert, Finding, Subject
from tests.detectors.stories import MINUTE, START, Story

GUESSER = "203.0.113.7"
VICTIM = "zoe@example.org"


def guess(at: float, client: str, account: str, outcome: str = "failed") -> Auth:
    reason = "bad_password" if outcome == "failed" else ""
    return Auth(
        at=START + at,
        client=client,
        account=account,
        outcome=outcome,
        reason=reason,
        service="submission",
        mechanism="LOGIN",
    )


def guesses(client: str, *, count: int = 15, gap: float = 10.0) -> list[Auth]:
    return [guess(n * gap, client, f"user{n}@example.org") for n in range(count)]


def findings(*parts: object) -> dict[str, Finding]:
    story = Story(AuthDictionary(), AuthCampaign(), AuthBreach(), AccountBurst())
    story.tell(*parts)  # type: ignore[arg-type]
    return {f"{f.detector} {f.subject.value}": f for f in story.findings}


def test_guessing_the_breach_and_the_mail_that_followed_are_one_incident() -> None:
    mail = [
        Message(at=START + 400 + n, client=GUESSER, account=VICTIM, sender=VICTIM, recipients=100)
        for n in range(20)
    ]
    found = findings(guesses(GUESSER), guess(200, GUESSER, VICTIM, "ok"), mail)
    head = found[f"auth_dictionary {GUESSER}"]
    breach, burst = found[f"auth_breach {VICTIM}"], found[f"account_burst {VICTIM}"]
    assert head.incident == head.id
    assert breach.incident == burst.incident == head.id
    assert (head.shared, breach.shared, burst.shared) == (False, True, False)


def test_everyone_who_took_part_in_a_campaign_is_part_of_it() -> None:
    strangers = [
        guess(n * MINUTE + again * 30, f"198.51.{n}.7", f"user{n}@example.org")
        for n in range(30)
        for again in range(2)
    ]
    found = findings(strangers)
    campaign = found["auth_campaign site"]
    took_part = [f for f in found.values() if f.shape == "took_part"]
    assert len(took_part) == 30
    assert {f.incident for f in took_part} == {campaign.id}
    assert all(f.shared for f in took_part)


def test_two_findings_about_one_client_are_one_incident_those_of_two_are_two() -> None:
    def harvest(client: str) -> list[Recipient]:
        return [
            Recipient(
                at=START + 600 + n,
                client=client,
                sender="a@spam.example",
                recipient=f"name{n}@example.org",
                verdict="unknown",
                code=550,
            )
            for n in range(30)
        ]

    story = Story(AuthDictionary(), DirectoryHarvest())
    story.tell(guesses(GUESSER), harvest(GUESSER), harvest("192.0.2.77"))
    found = {(f.detector, f.subject.value): f for f in story.findings}
    first = found["auth_dictionary", GUESSER]
    assert found["directory_harvest", GUESSER].incident == first.id
    other = found["directory_harvest", "192.0.2.77"]
    assert other.incident == other.id


def test_a_finding_that_accuses_nobody_heads_no_incident() -> None:
    story = Story(AuthDictionary(), AuthCampaign())
    story.tell(guesses(GUESSER))
    assert all(f.incident for f in story.findings)


def alert(name: str, incident: str, subject: str, **more: str) -> Alert:
    fields = {"detector": "auth_campaign", "shape": "took_part"} | more
    return Alert(
        id=name,
        severity="medium",
        subject=Subject("client", subject),
        first=1.0,
        last=2.0,
        at=2.0,
        summary="",
        incident=incident,
        **fields,  # type: ignore[arg-type]
    )


def test_a_list_shows_those_who_took_part_in_one_row() -> None:
    campaign = alert("a", "a", "site", shape="site_campaign")
    one, two = alert("b", "a", "192.0.2.1"), alert("c", "a", "192.0.2.2")
    breach = alert("d", "a", VICTIM, detector="auth_breach", shape="guessed")
    alone, old = alert("e", "e", "192.0.2.3"), alert("f", "", "192.0.2.4")
    older = alert("g", "", "192.0.2.5")
    rows = together([one, alone, breach, two, campaign, old, older])
    assert rows == [[one, two], [alone], [breach], [campaign], [old], [older]]

from schemas.findings import Evidence, Subject
from streams import summing
from tests.sinks.alerts import alert


def test_many_alerts_are_one_that_counts_them() -> None:
    many = [
        alert("a1", "low", first=10.0, at=20.0, last=15.0),
        alert("a2", "medium", detector="relay_probe", accounts=["bob"], accounts_count=1, at=40.0),
        alert("a3", "low", state="withdrawn", subject=Subject("client", "192.0.2.9")),
    ]
    one = summing.digest(many, "in the quiet hours")
    assert one.summary == (
        "3 alerts in the quiet hours (1 medium, 2 low, 1 of them withdrawn): 2 auth_dictionary,"
        " 1 relay_probe; `mailwarden alerts list` shows them"
    )
    assert (one.severity, one.detector, one.state) == ("medium", "relay_probe", "open")
    assert one.evidence == [Evidence("alerts", 3, 0)]
    assert one.subject == Subject("site", "site")
    assert (one.first, one.at) == (10.0, 1_700_000_060.25)
    assert one.clients == ["192.0.2.1", "192.0.2.9"]
    assert (one.accounts, one.events) == (["bob"], 45)
    assert (one.incident, one.undo) == ("", "")


def test_the_same_alerts_are_the_same_digest_in_any_order() -> None:
    one, two = alert("a1"), alert("a2")
    assert summing.digest([one, two], "x").id == summing.digest([two, one], "x").id
    assert (
        summing.digest([one, alert("a2", revision=2)], "x").id != summing.digest([one, two], "x").id
    )


def test_one_alone_is_itself() -> None:
    assert summing.digest([alert("a1")], "x") == alert("a1")


def test_a_flood_of_kinds_stays_short() -> None:
    many = [alert(f"a{n}", detector=f"kind_{n}") for n in range(40)]
    assert " and 32 more kinds; " in summing.digest(many, "x").summary

"""Attacks: do we relay for strangers?"""

from load.scenarios.organisation import HOUR
from load.scenarios.stage import Stage


def relay_probe(stage: Stage) -> None:
    story = "a relay probe: six forms of address from two senders, in half a minute"
    stage.begin(story)
    part = stage.attack("relay probe", "easy", story)
    host, at = stage.organisation.addresses.hosted(), stage.at(stage.days / 2, 6.0)
    ours = stage.organisation.domain
    for n, to in enumerate(
        ("probe@test.example", f"probe%test.example@{ours}", "test.example!probe",
         f"probe@test.example@{ours}", '"probe@test.example"', f"@{ours}:probe@test.example")
    ):  # fmt: skip
        for sender in ("", f"postmaster@{ours}"):
            part.refused(at + n * 5, host, sender, [to], "relay")


def relay_slowly(stage: Stage) -> None:
    story = "a relay probe: two tries a day to a mailbox elsewhere"
    stage.begin(story)
    part = stage.attack("relay probe", "slow", story)
    host, at = stage.organisation.addresses.hosted(), stage.at(0, 3.0)
    while at < stage.end:
        part.refused(at, host, "probe@relay.example", ["probe@box.example"], "relay")
        at += 10 * HOUR + stage.random.random() * 4 * HOUR


def relay_spread(stage: Stage) -> None:
    story = "a relay probe by 30 hosts of one /24, one try each in a night"
    stage.begin(story)
    part = stage.attack("relay probe", "spread", story)
    hosts = stage.organisation.addresses.rented(30)
    first = stage.at(stage.days / 2, 0.0)
    for host, at in zip(hosts, stage.times(first, first + 6 * HOUR, 30), strict=True):
        part.refused(at, host, "check@mail.example", ["box77@free.example"], "relay")

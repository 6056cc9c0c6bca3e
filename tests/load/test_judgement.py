"""What was found, held against the truth."""

from load.accusations import Accusations
from load.judgement import Judgement, judge
from load.scenarios.truth import Attack, Innocent, Noise, Truth

BOT, NEIGHBOUR, LISTED = "203.0.113.5", "203.0.113.6", "192.0.2.8"
PERSON, HOME = "198.51.100.7", "198.51.100.9"
TAKEN, OWNER, VICTIM = "taken@a.example", "owner@a.example", "victim@a.example"

TRUTH = Truth(
    attacks=[
        Attack(group="spray", form="easy", story="s", clients={BOT: 100.0, NEIGHBOUR: 200.0}),
        Attack(group="hijacked", form="slow", story="h", accounts={TAKEN: 50.0}),
        Attack(group="backscatter", form="easy", story="b", victims={VICTIM: 10.0}),
    ],
    innocents=[
        Innocent(
            story="everyday: people", clients={PERSON: 0, HOME: 0}, accounts={OWNER: 0, TAKEN: 0}
        ),
        Innocent(story="a traveller", clients={PERSON: 5.0}),
    ],
    noise=[Noise(story="listed", clients={LISTED: 0.0})],
)


def _judged(said: Accusations, banned: dict[str, float] | None = None) -> Judgement:
    return judge("a-1", "a.example", 10, TRUTH, said, banned or {})


def test_a_source_counts_when_it_is_named() -> None:
    row = _judged(Accusations(clients={BOT: (130.0, "d")})).attacks[0]
    assert (row.found, row.clients, row.waits, row.missed) == (1, 2, [30.0], [NEIGHBOUR])


def test_a_network_accuses_all_who_are_in_it() -> None:
    judged = _judged(Accusations(clients={"203.0.113.0/24": (300.0, "d")}))
    assert judged.attacks[0].found == judged.clients_right == 2
    assert judged.attacks[0].waits == [200.0, 100.0]


def test_an_address_and_a_network_that_does_not_hold_it_are_two_things() -> None:
    assert _judged(Accusations(clients={"203.0.112.0/24": (1.0, "d")})).clients_right == 0


def test_a_sixty_four_is_one_client() -> None:
    judged = _judged(Accusations(clients={"2001:db8:1:2::/64": (1.0, "d")}))
    assert judged.hits == {"in no story": 1}


def test_innocents_are_counted_under_the_story_that_is_most_their_own() -> None:
    judged = _judged(Accusations(clients={PERSON: (9.0, "d")}, accounts={OWNER: (9.0, "e")}))
    assert judged.hits == {"a traveller": 1, "everyday: people": 1}
    assert judged.hit == [f"a traveller: {PERSON}: d", f"everyday: people: {OWNER}: e"]


def test_noise_is_neither_right_nor_wrong() -> None:
    judged = _judged(Accusations(clients={LISTED: (9.0, "d")}), {LISTED: 9.0})
    assert (judged.clients_right, judged.clients_wrong, judged.fail2ban_wrong) == (0, 0, 0)


def test_an_account_in_other_hands_is_found_whoever_owns_it() -> None:
    judged = _judged(Accusations(accounts={TAKEN: (60.0, "d")}))
    assert (judged.accounts_right, judged.accounts_wrong) == (1, 0)
    assert judged.attacks[1].waits == [10.0]


def test_victims_are_those_of_our_domain() -> None:
    said = {VICTIM: (20.0, "d"), OWNER: (20.0, "d"), "far@b.example": (20.0, "d"), "gw1": (1.0, "")}
    judged = _judged(Accusations(victims=said))
    assert (judged.victims_right, judged.victims_wrong) == (1, 1)
    assert judged.attacks[2].victims_found == 1


def test_fail2ban_is_judged_alike() -> None:
    judged = _judged(Accusations(), {BOT: 1.0, PERSON: 2.0})
    assert (judged.fail2ban_right, judged.fail2ban_wrong) == (1, 1)
    assert judged.fail2ban_hits == {"a traveller": 1}
    assert judged.attacks[0].fail2ban == 1


def test_decisions_are_judged_as_well() -> None:
    judged = _judged(Accusations(decided={BOT: (1.0, "drop"), PERSON: (2.0, "drop")}))
    assert (judged.decided_right, judged.decided_wrong, judged.guilty) == (1, 1, 2)
    assert judged.decided_hits == {"a traveller": 1}
    assert judged.hit == [f"decided: a traveller: {PERSON}: drop"]
    assert judged.hits == {}

"""A gateway behind a hosted filter, who goes around that, and clients whose mail is bad."""

from msgspec.structs import replace

from load.scenarios.organisation import DAY
from load.scenarios.stage import Stage


def around_filter(stage: Stage) -> None:
    story = "forty mails in an hour straight to the gateway that only the hosted filter uses"
    stage.begin(story)
    part = stage.attack("filter bypass", "easy", story)
    host, first = stage.organisation.addresses.hosted(), stage.at(stage.days / 2, 4.0)
    behind = stage.behind_filter()
    for at in stage.times(first, first + 3600, 40):
        sender = f"invoice@billing{stage.random.randrange(9)}.example"
        part.note(at, host)
        behind.accept(at, host, sender, stage.names(1))


def around_filter_slowly(stage: Stage) -> None:
    story = "eight mails a day straight to the gateway that only the hosted filter uses"
    stage.begin(story)
    part = stage.attack("filter bypass", "slow", story)
    host, behind = stage.organisation.addresses.hosted(), stage.behind_filter()
    for day in range(1, stage.days):
        for at in stage.times(stage.at(day, 7.0), stage.at(day, 19.0), 8):
            part.note(at, host)
            behind.accept(at, host, "office@delivery.example", stage.names(1))


def old_exchanger(stage: Stage) -> None:
    """Servers that still have the address of before the filter: theirs is stray mail."""
    story = "two partners still deliver where mail went before there was a filter"
    stage.begin(story)
    part, behind = stage.innocent(story), stage.behind_filter()
    for number in range(2):
        host = stage.organisation.addresses.server(f"mail.oldfriend{number}.example")
        for day in range(stage.days):
            for at in stage.times(stage.at(day, 7.0), stage.at(day, 18.0), 2):
                part.note(at, host)
                behind.accept(at, host, f"sales@oldfriend{number}.example", stage.names(1))


def bad_host(stage: Stage) -> None:
    story = "a nameless host, another greeting each time: spam, much of it to people who are gone"
    stage.begin(story)
    part = stage.attack("bad reputation", "easy", story)
    host, first = stage.organisation.addresses.rented(1)[0], stage.at(stage.days / 2, 9.0)
    for number, at in enumerate(stage.times(first, first + DAY / 2, 60)):
        client = replace(host, helo=f"mta{stage.random.randrange(90)}.offers.example")
        sender = f"news{number}@offers{number % 7}.example"
        part.note(at, client)
        mail = stage.organisation.any_gateway().mail
        if number % 3 == 0:
            gone = stage.organisation.departed[number % 24]
            mail.refuse(at, client, sender, [gone])
        else:
            mail.refuse_content(at, client, sender, stage.names(1))


def bad_range(stage: Stage) -> None:
    story = "snowshoe spam: twelve nameless hosts of one /24, thirty mails each in two days"
    stage.begin(story)
    part = stage.attack("bad reputation", "spread", story)
    first = stage.at(max(0, stage.days / 2 - 1), 6.0)
    for client in stage.organisation.addresses.rented(12):
        for number, at in enumerate(stage.times(first, first + 1.8 * DAY, 30)):
            named = replace(client, helo=f"out{stage.random.randrange(40)}.deals.example")
            part.note(at, named)
            mail = stage.organisation.any_gateway().mail
            sender = f"offer{number}@deals{number % 5}.example"
            if number % 4:
                mail.refuse_content(at, named, sender, stage.names(1))
            else:
                gone = stage.organisation.departed[number % 24]
                mail.refuse(at, named, sender, [gone])

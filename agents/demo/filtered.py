"""A gateway behind a hosted filter, and who goes around that."""

from agents.demo import addresses
from agents.demo.company import DOMAIN
from agents.demo.postfix_lines import Outcome
from agents.demo.scene import Scene
from agents.demo.truth import Attack, Expected

INSIDE = Outcome(f"mail.{DOMAIN}[192.168.10.20]:25")


def around_the_filter(scene: Scene) -> Attack:
    client, company = scene.attacker(29), scene.company
    readers = [person.address for person in company.people[:: max(1, len(company.people) // 40)]]
    for n in range(48):  # what the filter lets pass, all day long
        sender = f"post{n}@org{n * 5 % 140}.example"
        to = [(readers[n % len(readers)], INSIDE)]
        company.mx3.accept(scene.at(0.3, n * 1700), addresses.hosted_filter(n), sender, to)
    for n in range(14):
        to = [(readers[n % len(readers)], INSIDE)]
        sender = f"invoice{n}@billing{n % 3}.example"
        company.mx3.accept(scene.at(13.4, n * 130), client, sender, to)
    return Attack(
        name="a way around the filter",
        story="14 mails in half an hour straight to mx3, where only the hosted filter delivers",
        first=scene.at(13.4),
        clients=(client.subject,),
        expects=(Expected("filter_bypass", client.subject), Expected("filter_bypass", "mx3")),
    )

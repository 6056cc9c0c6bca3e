"""The fixed mixes that quality is measured with: eight organisations, each with two seeds, and two
of them with two more. Half of the mixes begin after nine ordinary days, half with the first line.

Seeds below 100 may be looked at while detectors are tuned; from 100 on they are for reports.
"""

from datetime import UTC, datetime
from functools import partial

from msgspec.structs import replace

from load.scenarios import (
    filtering,
    guessing,
    harvesting,
    hijacking,
    letters,
    passwords,
    places,
    reflecting,
    relaying,
    spraying,
)
from load.scenarios.mixes import Mix
from load.scenarios.organisation import Nature

SATURDAY = datetime(2026, 4, 11, tzinfo=UTC)
WEDNESDAY = datetime(2026, 6, 3, tzinfo=UTC)


def office(seed: int) -> Mix:
    """Loud attacks on a small office, which has a bad week of its own."""
    return Mix(
        name="office",
        seed=seed,
        nature=Nature(domain="ostra.example", people=90),
        first=SATURDAY,
        days=5,
        stories=(
            guessing.one_account,
            guessing.dictionary,
            guessing.unknown_names,
            guessing.below_the_limit,
            spraying.stuffing,
            partial(spraying.spray, members=200, hours=3, tries=2, day=2.3),
            hijacking.after_guessing,
            hijacking.phished_burst,
            hijacking.infected_inside,
            harvesting.harvest,
            relaying.relay_probe,
            reflecting.joe_job,
            passwords.monday,
            passwords.stale_phone,
            passwords.forgotten,
            passwords.password_manager,
            letters.newsletter_out,
            letters.mailing_list,
            places.scanner,
            places.monitoring,
            filtering.around_filter,
            filtering.bad_host,
        ),
    )


def plant(seed: int) -> Mix:
    """Shifts, a merger, an empty directory; patient attackers at two gateways."""
    return Mix(
        name="plant",
        seed=seed,
        nature=Nature(domain="plant.example", people=150, gateways=2, shifts=0.6, remote=0.15),
        first=WEDNESDAY,
        days=4,
        stories=(
            guessing.half_hourly,
            guessing.across_gateways,
            guessing.rented_network,
            guessing.in_a_sixty_four,
            partial(spraying.at_one_account, members=300, hours=10),
            partial(spraying.half_unknown, members=350, hours=14, day=2.0),
            hijacking.phished_in_hours,
            hijacking.phished_many_clients,
            hijacking.infected_slow,
            harvesting.harvest_slowly,
            relaying.relay_spread,
            passwords.directory_outage,
            passwords.departed,
            passwords.stale_tablets,
            places.merger,
            places.scanner,
            letters.callout,
            letters.invitation,
        ),
    )


def agency(seed: int) -> Mix:
    """People all over the world, terse logs, and attacks as slow as patience allows."""
    return Mix(
        name="agency",
        seed=seed,
        nature=Nature(
            domain="agency.example", people=60, remote=0.8, zones=(0, 0, -6, 8), talkative=False
        ),
        first=SATURDAY,
        days=9,
        stories=(
            guessing.every_four_hours,
            guessing.half_hourly,
            spraying.stuffing_slowly,
            partial(spraying.spray, members=250, hours=96, tries=2, day=3.0),
            hijacking.phished_drip,
            hijacking.phished_forged,
            hijacking.only_read,
            harvesting.harvest_with_mail,
            reflecting.joe_job_small,
            relaying.relay_slowly,
            passwords.stale_phone,
            passwords.mistyped_login,
            places.traveller,
            places.traveller,
            places.commuter_behind_proxy,
            places.mover,
            letters.seller,
            letters.forwarder,
            letters.vacation,
        ),
    )


def campus(seed: int) -> Mix:
    """A large house with four gateways, the day on which all passwords change, and a botnet."""
    return Mix(
        name="campus",
        seed=seed,
        nature=Nature(domain="campus.example", people=300, gateways=4, mail=0.7, shifts=0.05),
        first=WEDNESDAY,
        days=3,
        stories=(
            partial(spraying.spray, members=1500, hours=24, tries=2, day=1.5),
            partial(spraying.at_one_account, members=200, hours=30),
            spraying.stuffing_through_proxies,
            guessing.across_gateways,
            guessing.with_own_account,
            hijacking.phishes_colleagues,
            hijacking.phished_burst,
            harvesting.harvest_spread,
            reflecting.joe_job_slowly,
            passwords.change_day,
            passwords.auth_server_down,
            places.campus,
            places.webmail,
            places.migration,
            letters.provider,
            letters.newsletter_in,
        ),
    )


def publisher(seed: int) -> Mix:
    """Much mail in both directions: what is spam here, and what is business?"""
    return Mix(
        name="publisher",
        seed=seed,
        nature=Nature(domain="publisher.example", people=100, gateways=2, mail=2.5),
        first=WEDNESDAY,
        days=4,
        stories=(
            reflecting.joe_job,
            reflecting.joe_job_slowly,
            reflecting.joe_job_invented,
            harvesting.harvest_with_mail,
            hijacking.phished_in_hours,
            hijacking.phished_forged,
            hijacking.phished_drip,
            hijacking.infected_desktop,
            guessing.dictionary,
            guessing.below_the_limit,
            letters.newsletter_out,
            letters.seller,
            letters.tickets,
            letters.newsletter_in,
            letters.mailing_list,
            letters.own_list,
            letters.provider,
            letters.old_partner,
            letters.vacation,
            places.traveller,
            filtering.bad_host,
            filtering.bad_range,
        ),
    )


def shop(seed: int) -> Mix:
    """A small shop in twelve days: sprays that hide in office hours, and a long botnet."""
    return Mix(
        name="shop",
        seed=seed,
        nature=Nature(domain="shop.example", people=45, talkative=False, remote=0.3),
        first=SATURDAY,
        days=12,
        stories=(
            partial(spraying.in_office_hours, members=250),
            partial(spraying.spray, members=700, hours=140, tries=3, day=5.0),
            guessing.rented_network,
            guessing.unknown_names,
            hijacking.phished_many_clients,
            hijacking.phished_forged,
            harvesting.harvest_slowly,
            relaying.relay_slowly,
            reflecting.joe_job_small,
            passwords.monday,
            passwords.stale_tablets,
            passwords.departed,
            places.migration,
            places.monitoring,
            letters.tickets,
            letters.old_partner,
            letters.callout,
            filtering.around_filter_slowly,
            filtering.old_exchanger,
        ),
    )


def calm(seed: int) -> Mix:
    """Nobody attacks; whatever can go wrong by itself does."""
    return Mix(
        name="calm",
        seed=seed,
        nature=Nature(domain="calm.example", people=130, gateways=3, zones=(0, 0, 0, 3)),
        first=SATURDAY,
        days=5,
        stories=(
            passwords.stale_phone,
            passwords.stale_tablets,
            passwords.monday,
            passwords.change_day,
            passwords.forgotten,
            passwords.password_manager,
            passwords.mistyped_login,
            passwords.departed,
            passwords.auth_server_down,
            places.campus,
            places.traveller,
            places.commuter_behind_proxy,
            places.mover,
            places.migration,
            places.monitoring,
            places.scanner,
            places.webmail,
            letters.newsletter_out,
            letters.seller,
            letters.invitation,
            letters.tickets,
            letters.newsletter_in,
            letters.mailing_list,
            letters.provider,
            letters.callout,
            letters.old_partner,
            letters.forwarder,
            letters.vacation,
            letters.own_list,
            filtering.old_exchanger,
        ),
    )


def siege(seed: int) -> Mix:
    """One loud botnet, under which quiet attackers and ordinary mishaps must still be seen."""
    return Mix(
        name="siege",
        seed=seed,
        nature=Nature(domain="siege.example", people=200, gateways=4, mail=0.8),
        first=WEDNESDAY,
        days=3,
        stories=(
            partial(spraying.spray, members=3000, hours=30, tries=2, day=1.0),
            partial(spraying.half_unknown, members=400, hours=20, day=1.2),
            partial(spraying.at_one_account, members=250, hours=24),
            spraying.stuffing,
            guessing.half_hourly,
            guessing.below_the_limit,
            guessing.rented_network,
            hijacking.after_guessing,
            hijacking.phished_drip,
            hijacking.phished_many_clients,
            harvesting.harvest_slowly,
            harvesting.harvest_spread,
            reflecting.joe_job,
            passwords.monday,
            passwords.stale_phone,
            passwords.forgotten,
            passwords.mistyped_login,
            places.campus,
            places.traveller,
            places.monitoring,
            letters.provider,
            letters.mailing_list,
        ),
    )


ORGANISATIONS = (office, plant, agency, campus, publisher, shop, calm, siege)
HISTORY = 9  # days: more than the week after which a past counts
AFTER_A_WEEK = (plant, agency, campus)


def _mixes(seed: int) -> tuple[Mix, ...]:
    plain = (
        replace(make(seed), history=HISTORY if make in AFTER_A_WEEK else 0)
        for make in ORGANISATIONS
    )
    return *plain, *(replace(make(seed + 1), history=HISTORY) for make in (office, siege))


# Seeds that were looked into go: 101 and 102 were for reports before.
MIXES = (*_mixes(1), *_mixes(201))

"""What Postfix does with our tables, by what postconf(1) says of its configuration.

A table that no restriction names refuses nobody. One that smtpd_client_restrictions names stops
no password guessing either while smtpd_delay_reject is at its default: the refusal then waits
for RCPT TO, and AUTH comes before (postconf(5); RESTRICTION_CLASS_README). So each service that
takes logins is looked at, and postscreen in front of it.
"""

import shlex

from streams import postconf
from streams.gateway import Note
from streams.gateways.postfix.settings import (
    LMDB,
    PostfixSettings,
    name_tables,
    network_tables,
    path,
)
from streams.postconf import Service

LOGIN_FIRST = {"permit_sasl_authenticated", "reject"}
"""Restrictions that refuse everybody when they are asked before the login."""
AFTER_LOGIN = (
    "smtpd_sender_restrictions",
    "smtpd_data_restrictions",
    "smtpd_end_of_data_restrictions",
)
"""Where those go instead: lists that are asked later, of which an empty one is best, since a
permit in front would end the list for what stands there already."""

RECIPIENT = "smtpd_recipient_restrictions"
AFTER_RECIPIENT = ("smtpd_relay_restrictions", RECIPIENT)
ASKED = (
    "smtpd_client_restrictions",
    "smtpd_delay_reject",
    "smtpd_sasl_auth_enable",
    "postscreen_access_list",
    "postscreen_denylist_action",  # since Postfix 3.6
    "postscreen_blacklist_action",  # before
    *AFTER_LOGIN,
    *AFTER_RECIPIENT,
)


def review(settings: PostfixSettings) -> list[Note]:
    """What is enforced, what is not, and the commands that mend it."""
    notes = _lmdb(settings)
    try:
        services = postconf.services([settings.postconf, *settings.instance], ASKED)
    except postconf.FAILURES as error:
        notes.append(Note("unknown", f"{settings.postconf} cannot be asked what is used: {error}"))
        return notes
    servers = [service for service in services if service.program == "smtpd"]
    if not servers:
        notes.append(Note("failed", "master.cf has no smtpd: no client is ever looked up"))
    screened = _postscreen(settings, services, notes)
    for service in servers:
        if settings.clients:
            notes.append(_clients(settings, service, screened))
        if settings.accounts and service.takes_logins:
            notes.append(_accounts(settings, service))
        if settings.phishing and service.takes_logins:
            notes.append(_phishing(settings, service))
    return notes


# -- questions asked --------------------------------------------------------------------------


def _lmdb(settings: PostfixSettings) -> list[Note]:
    """Whether this Postfix reads such tables where one is configured; if it cannot be asked,
    others say so."""
    chosen = (settings.clients, settings.postscreen, settings.accounts, settings.phishing)
    if not any(place.startswith(LMDB) for place in chosen):
        return []
    try:
        known = postconf.table_types([settings.postconf, *settings.instance])
    except postconf.FAILURES:
        return []
    if LMDB.rstrip(":") in known:
        return []
    remedy = ("apt-get install postfix-lmdb",)
    return [Note("failed", "this Postfix does not read tables of LMDB", remedy)]


def _postscreen(settings: PostfixSettings, services: list[Service], notes: list[Note]) -> bool:
    """Whether postscreen drops whom the table names, before any smtpd sees them."""
    if not settings.postscreen:
        return False
    tables = network_tables(settings.postscreen)
    screens = [service for service in services if service.program == "postscreen"]
    if not screens:
        notes.append(Note("failed", f"{settings.postscreen}: master.cf has no postscreen"))
        return False
    screen = screens[0]
    present = screen.items("postscreen_access_list")
    missing = [table for table in tables if table not in present]
    if missing:
        wanted = [*present, *missing]
        notes.append(
            Note(
                "failed",
                f"postscreen does not look into {_and(missing)}",
                (_set("postscreen_access_list", wanted, settings),),
            )
        )
        return False
    action = screen["postscreen_denylist_action"] or screen["postscreen_blacklist_action"]
    if action not in ("enforce", "drop"):
        notes.append(
            Note(
                "failed",
                "postscreen looks clients up but lets them pass"
                f" (postscreen_denylist_action is {action or 'ignore'})",
                (_set("postscreen_denylist_action", ["drop"], settings),),
            )
        )
        return False
    notes.append(Note("ok", f"{screen.key}: postscreen refuses the clients before the greeting"))
    return True


def _clients(settings: PostfixSettings, service: Service, screened: bool) -> Note:
    """Whether a decision against a client has effect here, and on logins."""
    if screened and service.key.endswith("/pass"):
        return Note("ok", f"{service.key}: postscreen stands in front of it")
    key, tables = service.key, network_tables(settings.clients)
    present = service.items("smtpd_client_restrictions")
    places = {table: _position(present, "check_client_access", table) for table in tables}
    rest = _without(present, "check_client_access", tables)
    early = service["smtpd_delay_reject"] == "no"
    missing = [table for table, at in places.items() if at is None]
    if missing:
        whom = "nobody" if len(missing) == len(tables) else "not all"
        return Note(
            "failed",
            f"{key}: does not look into {_and(missing)}: refuses {whom}",
            _remedy(settings, service, rest),
        )
    if service.takes_logins and not early:
        return Note(
            "failed",
            f"{key}: refuses at RCPT TO only, after the login: password guessing goes on"
            " (smtpd_delay_reject is yes)",
            _remedy(settings, service, rest),
        )
    last = max(at for at in places.values() if at is not None)
    before = sorted({"permit", "permit_sasl_authenticated"}.intersection(present[:last]))
    if before:
        return Note(
            "failed",
            f"{key}: looks into {_and(tables)} only after {', '.join(before)}",
            _remedy(settings, service, rest),
        )
    when = "before the login" if service.takes_logins else "(it takes no logins)"
    return Note("ok", f"{key}: refuses the clients of {_and(tables)} {when}")


def _accounts(settings: PostfixSettings, service: Service) -> Note:
    [table] = name_tables(settings.accounts)
    for name in (*AFTER_LOGIN, *AFTER_RECIPIENT):
        present = service.items(name)
        at = _position(present, "check_sasl_access", table)
        if at is not None and not LOGIN_FIRST.intersection(present[:at]):
            return Note("ok", f"{service.key}: refuses mail of the logins of {path(table)}")
    present = service.items("smtpd_sender_restrictions")
    wanted = ["check_sasl_access", table, *present]
    return Note(
        "failed",
        f"{service.key}: does not look into {path(table)}: no login is stopped",
        (_override(service, "smtpd_sender_restrictions", wanted, settings),),
    )


def _phishing(settings: PostfixSettings, service: Service) -> Note:
    """Whether people who have logged in are kept from answering phishers."""
    [table] = name_tables(settings.phishing)
    for name in AFTER_RECIPIENT:
        present = service.items(name)
        at = _position(present, "check_recipient_access", table)
        if at is not None and not LOGIN_FIRST.intersection(present[:at]):
            return Note("ok", f"{service.key}: refuses mail to the addresses of {path(table)}")
    wanted = ["check_recipient_access", table, *service.items(RECIPIENT)]
    return Note(
        "failed",
        f"{service.key}: does not look into {path(table)}: answers to phishers go out",
        (_override(service, RECIPIENT, wanted, settings),),
    )


def _remedy(settings: PostfixSettings, service: Service, rest: list[str]) -> tuple[str, ...]:
    """Commands that make this service refuse before the login, keeping `rest` in effect."""
    lookup: list[str] = []
    for table in network_tables(settings.clients):
        lookup += ["check_client_access", table]
    lines = []
    if service.takes_logins and LOGIN_FIRST.intersection(rest):
        later = next((name for name in AFTER_LOGIN if not service[name]), AFTER_LOGIN[-1])
        lines.append(_override(service, later, [*rest, *service.items(later)], settings))
        rest = []
    lines.append(_override(service, "smtpd_client_restrictions", [*lookup, *rest], settings))
    if service.takes_logins:
        lines.append(_override(service, "smtpd_delay_reject", ["no"], settings))
    return tuple(lines)


# -- words ------------------------------------------------------------------------------------


def _position(items: list[str], restriction: str, table: str) -> int | None:
    for at, item in enumerate(items[:-1]):
        if item == restriction and items[at + 1] == table:
            return at
    return None


def _without(items: list[str], restriction: str, tables: list[str]) -> list[str]:
    """The other restrictions."""
    found = list(items)
    for table in tables:
        at = _position(found, restriction, table)
        if at is not None:
            del found[at : at + 2]
    return found


def _and(tables: list[str]) -> str:
    """The files of tables."""
    return " and ".join(path(table) for table in tables)


def _override(service: Service, name: str, items: list[str], settings: PostfixSettings) -> str:
    """The command that sets a parameter for one line of master.cf."""
    return _postconf(settings, "-P", f"{service.key}/{name}", items)


def _set(name: str, items: list[str], settings: PostfixSettings) -> str:
    return _postconf(settings, "-e", name, items)


def _postconf(settings: PostfixSettings, option: str, name: str, items: list[str]) -> str:
    """Commas only: ``postconf -P`` takes no white space in a value."""
    command = [settings.postconf, *settings.instance, option, f"{name}={','.join(items)}"]
    return shlex.join(command)

"""What Postfix does with our tables, by what postconf(1) says of its configuration.

A table that no restriction names refuses nobody. One that smtpd_client_restrictions names stops
no password guessing either while smtpd_delay_reject is at its default: the refusal then waits
for RCPT TO, and AUTH comes before (postconf(5); RESTRICTION_CLASS_README). So each service that
takes logins is looked at, and postscreen in front of it.
"""

import os
import shlex
from pathlib import Path

from streams import postconf
from streams.gateway import Note
from streams.gateways.postfix.settings import PostfixSettings
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

AFTER_RECIPIENT = ("smtpd_relay_restrictions", "smtpd_recipient_restrictions")
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
    notes = _files(settings)
    try:
        services = postconf.services([settings.postconf, *settings.instance], ASKED)
    except postconf.FAILURES as error:
        notes.append(Note(False, f"{settings.postconf} cannot be asked what is used: {error}"))
        return notes
    servers = [service for service in services if service.program == "smtpd"]
    if not servers:
        notes.append(Note(False, "master.cf has no smtpd: no client is ever looked up"))
    screened = _postscreen(settings, services, notes)
    for service in servers:
        if settings.clients:
            notes.append(_clients(settings, service, screened))
        if settings.accounts and service.takes_logins:
            notes.append(_accounts(settings, service))
    return notes


# -- questions asked --------------------------------------------------------------------------


def _files(settings: PostfixSettings) -> list[Note]:
    notes = []
    for path in filter(None, (settings.clients, settings.postscreen, settings.accounts)):
        folder = Path(os.path.realpath(path)).parent
        if not folder.is_dir():
            notes.append(Note(False, f"{path}: there is no directory {folder}"))
        elif not os.access(folder, os.W_OK):
            notes.append(Note(False, f"{path}: {folder} may not be written by this user"))
    return notes


def _postscreen(settings: PostfixSettings, services: list[Service], notes: list[Note]) -> bool:
    """Whether postscreen drops whom the table names, before any smtpd sees them."""
    if not settings.postscreen:
        return False
    table = f"cidr:{settings.postscreen}"
    screens = [service for service in services if service.program == "postscreen"]
    if not screens:
        notes.append(Note(False, f"{settings.postscreen}: master.cf has no postscreen"))
        return False
    screen = screens[0]
    if table not in screen.items("postscreen_access_list"):
        wanted = [*screen.items("postscreen_access_list"), table]
        notes.append(
            Note(
                False,
                f"postscreen does not look into {settings.postscreen}",
                (_set("postscreen_access_list", wanted, settings),),
            )
        )
        return False
    action = screen["postscreen_denylist_action"] or screen["postscreen_blacklist_action"]
    if action not in ("enforce", "drop"):
        notes.append(
            Note(
                False,
                "postscreen looks clients up but lets them pass"
                f" (postscreen_denylist_action is {action or 'ignore'})",
                (_set("postscreen_denylist_action", ["drop"], settings),),
            )
        )
        return False
    notes.append(Note(True, f"{screen.key}: postscreen refuses the clients before the greeting"))
    return True


def _clients(settings: PostfixSettings, service: Service, screened: bool) -> Note:
    """Whether a decision against a client has effect here, and on logins."""
    if screened and service.key.endswith("/pass"):
        return Note(True, f"{service.key}: postscreen stands in front of it")
    key, table = service.key, f"cidr:{settings.clients}"
    present = service.items("smtpd_client_restrictions")
    at = _position(present, "check_client_access", table)
    early = service["smtpd_delay_reject"] == "no"
    if at is None:
        return Note(
            False,
            f"{key}: does not look into {settings.clients}: refuses nobody",
            _remedy(settings, service, present),
        )
    if service.takes_logins and not early:
        rest = present[:at] + present[at + 2 :]
        return Note(
            False,
            f"{key}: refuses at RCPT TO only, after the login: password guessing goes on"
            " (smtpd_delay_reject is yes)",
            _remedy(settings, service, rest),
        )
    before = sorted({"permit", "permit_sasl_authenticated"}.intersection(present[:at]))
    if before:
        return Note(
            False,
            f"{key}: looks into {settings.clients} only after {', '.join(before)}",
            _remedy(settings, service, present[:at] + present[at + 2 :]),
        )
    when = "before the login" if service.takes_logins else "(it takes no logins)"
    return Note(True, f"{key}: refuses the clients of {settings.clients} {when}")


def _accounts(settings: PostfixSettings, service: Service) -> Note:
    table = f"texthash:{settings.accounts}"
    for name in (*AFTER_LOGIN, *AFTER_RECIPIENT):
        present = service.items(name)
        at = _position(present, "check_sasl_access", table)
        if at is not None and not LOGIN_FIRST.intersection(present[:at]):
            return Note(True, f"{service.key}: refuses mail of the logins of {settings.accounts}")
    present = service.items("smtpd_sender_restrictions")
    wanted = ["check_sasl_access", table, *present]
    return Note(
        False,
        f"{service.key}: does not look into {settings.accounts}: no login is stopped",
        (_override(service, "smtpd_sender_restrictions", wanted, settings),),
    )


def _remedy(settings: PostfixSettings, service: Service, rest: list[str]) -> tuple[str, ...]:
    """Commands that make this service refuse before the login, keeping `rest` in effect."""
    lookup = ("check_client_access", f"cidr:{settings.clients}")
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


def _override(service: Service, name: str, items: list[str], settings: PostfixSettings) -> str:
    """The command that sets a parameter for one line of master.cf."""
    return _postconf(settings, "-P", f"{service.key}/{name}", items)


def _set(name: str, items: list[str], settings: PostfixSettings) -> str:
    return _postconf(settings, "-e", name, items)


def _postconf(settings: PostfixSettings, option: str, name: str, items: list[str]) -> str:
    """Commas only: ``postconf -P`` takes no white space in a value."""
    command = [settings.postconf, *settings.instance, option, f"{name}={','.join(items)}"]
    return shlex.join(command)

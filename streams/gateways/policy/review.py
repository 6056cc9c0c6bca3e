"""Whether anybody asks us, and what becomes of mail when we do not answer.

The server itself is asked, with a question of our own (protocol.py): `mailwarden check` is
another process. What Postfix does, postconf(1) says: by default a policy server that does not
answer is a reason to refuse mail (smtpd_policy_service_default_action is 451), after 100 s.
"""

import re
import shlex
import socket

from msgspec import Struct

from streams import needs, postconf
from streams.gateway import Note
from streams.gateways.policy import protocol
from streams.gateways.policy.settings import PolicySettings
from streams.postconf import Service

PATIENCE = 2.0  # seconds for our own server's answer
LONGEST = 10.0  # seconds that Postfix should wait for us, at most

CLIENT, RECIPIENT = "smtpd_client_restrictions", "smtpd_recipient_restrictions"
DATA, END = "smtpd_data_restrictions", "smtpd_end_of_data_restrictions"
LISTS = {
    CLIENT: "connect",
    "smtpd_helo_restrictions": "HELO",
    "smtpd_sender_restrictions": "MAIL FROM",
    "smtpd_relay_restrictions": "RCPT TO",
    RECIPIENT: "RCPT TO",
    DATA: "DATA",
    END: "the end of data",
}
EARLY = (CLIENT, "smtpd_helo_restrictions", "smtpd_sender_restrictions")
ASKED = (
    *LISTS,
    "smtpd_delay_reject",
    "smtpd_sasl_auth_enable",
    "smtpd_policy_service_default_action",
    "smtpd_policy_service_timeout",
)
PASSED = {"permit", "permit_sasl_authenticated"}
"""Restrictions that let pass, unasked, those whom decisions about logins are about."""

CHECK = "check_policy_service"
SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}


class Place(Struct, frozen=True):
    """Where a list of restrictions names us."""

    name: str
    at: int  # of check_policy_service in the list
    options: dict[str, str]


def review(settings: PolicySettings) -> list[Note]:
    notes = [_answers(settings)]
    if settings.report:
        notes.append(
            Note(
                "ok",
                "messages are reported: let nobody read the log of the server that asks, which"
                " tells of them as well",
            )
        )
    if not settings.postconf:
        return notes
    try:
        services = postconf.services(_command(settings), ASKED)
    except postconf.FAILURES as error:
        notes.append(Note("unknown", f"{settings.postconf} cannot be asked who asks us: {error}"))
        return notes
    servers = [service for service in services if service.program == "smtpd"]
    if not servers:
        notes.append(Note("failed", "master.cf has no smtpd: nobody asks us"))
    for service in servers:
        notes += _service(settings, service)
    return notes


# -- our own server ---------------------------------------------------------------------------


def _answers(settings: PolicySettings) -> Note:
    try:
        told = _ask(settings.listen)
    except (ConnectionRefusedError, FileNotFoundError, ValueError):
        return needs.vacant(settings.listen)
    except OSError as error:
        return needs.foreign(settings.listen, error)
    if "asked" not in told:
        return needs.foreign(settings.listen, "it does not know our question")
    if told.get("enforces") != "yes":
        return Note("warning", f"at {settings.listen} all is let pass: the kill switch is pulled")
    if told["asked"] == "-1":
        return Note("warning", f"at {settings.listen} no mail server has asked yet")
    return Note("ok", f"at {settings.listen} a mail server asked {told['asked']} s ago")


def _ask(listen: str) -> dict[str, str]:
    """What our server says of itself. Raises OSError, or ValueError where it can be nowhere."""
    path = listen.removeprefix("unix:")
    host, _, port = listen.rpartition(":")
    with (
        socket.socket(socket.AF_UNIX)
        if path != listen
        else socket.create_connection((host.strip("[]"), int(port)), PATIENCE)
    ) as asking:
        asking.settimeout(PATIENCE)
        if path != listen:
            asking.connect(path)
        asking.sendall(f"request={protocol.STATUS}\n\n".encode())
        told = b""
        while protocol.END not in told and (more := asking.recv(4096)):
            told += more
    pairs = (line.partition("=") for line in told.decode(errors="replace").split("\n"))
    return {name: value for name, _, value in pairs}


# -- Postfix ----------------------------------------------------------------------------------


def _service(settings: PolicySettings, service: Service) -> list[Note]:
    places = list(filter(None, (_place(settings, service, name) for name in LISTS)))
    if not places:
        return [
            Note(
                "failed",
                f"{service.key}: does not ask us",
                (_put(settings, service, RECIPIENT, service.items(RECIPIENT)),),
            )
        ]
    notes = _failures(settings, service, places) + _order(settings, service, places)
    named = {place.name for place in places}
    if service.takes_logins:
        if CLIENT not in named or service["smtpd_delay_reject"] != "no":
            notes.append(
                Note(
                    "failed",
                    f"{service.key}: asks us after the login only: password guessing goes on"
                    " (docs/gateways/policy.md: submission)",
                )
            )
        if not named & {DATA, END}:
            notes.append(
                Note(
                    "failed",
                    f"{service.key}: does not ask us at DATA: an account cannot be limited",
                    (_put(settings, service, DATA, service.items(DATA)),),
                )
            )
    if notes:
        return notes
    late = service["smtpd_delay_reject"] != "no"
    asked = dict.fromkeys(
        "RCPT TO" if late and place.name in EARLY else LISTS[place.name] for place in places
    )
    return [Note("ok", f"{service.key}: asks us at {', '.join(asked)}; without us it goes on")]


def _failures(settings: PolicySettings, service: Service, places: list[Place]) -> list[Note]:
    """What becomes of mail while we are away."""
    for place in places:
        action = place.options.get("default_action", service["smtpd_policy_service_default_action"])
        wait = place.options.get("timeout", service["smtpd_policy_service_timeout"])
        if action.upper() == "DUNNO" and _seconds(wait) <= LONGEST:
            continue
        items = service.items(place.name)
        rest = items[: place.at] + items[place.at + 2 :]
        return [
            Note(
                "failed",
                f"{service.key}: without us mail is answered {action or 'with an error'}, after"
                f" {wait} ({place.name})",
                (_put(settings, service, place.name, rest, place.at),),
            )
        ]
    return []


def _order(settings: PolicySettings, service: Service, places: list[Place]) -> list[Note]:
    for place in places:
        items = service.items(place.name)
        before = sorted(PASSED.intersection(items[: place.at]))
        if before:
            rest = items[: place.at] + items[place.at + 2 :]
            return [
                Note(
                    "failed",
                    f"{service.key}: asks us only after {', '.join(before)} ({place.name})",
                    (_put(settings, service, place.name, rest),),
                )
            ]
    return []


def _place(settings: PolicySettings, service: Service, name: str) -> Place | None:
    items = service.items(name)
    for at, item in enumerate(items[:-1]):
        if item == CHECK:
            address, _, rest = items[at + 1].strip("{} \t").partition(",")
            if _is_ours(address.strip(), settings.listen):
                return Place(name, at, dict(re.findall(r"(\w+)\s*=\s*([^,]*?)\s*(?:,|$)", rest)))
    return None


def _is_ours(address: str, listen: str) -> bool:
    """Whether what Postfix names is where we listen. A socket's path may be relative to
    Postfix's queue directory, and a name may be that of this machine."""
    kind, _, where = address.partition(":")
    if listen.startswith("unix:"):
        path = listen.removeprefix("unix:")
        return kind == "unix" and bool(where) and f"/{path}".endswith(f"/{where.lstrip('/')}")
    host, _, port = where.rpartition(":")
    ours, _, our_port = listen.rpartition(":")
    near = {ours.strip("[]"), "localhost"}
    anywhere = ours.strip("[]") in ("0.0.0.0", "::")
    return kind == "inet" and port == our_port and (anywhere or host.strip("[]") in near)


def _seconds(text: str) -> float:
    number, unit = text[:-1], text[-1:]
    if text.isdecimal():
        return float(text)
    return float(number) * SECONDS[unit] if number.isdecimal() and unit in SECONDS else 0.0


def _put(
    settings: PolicySettings, service: Service, name: str, rest: list[str], at: int = 0
) -> str:
    """The command that has a service ask us among the `rest` of a list. Commas only: ``postconf
    -P`` takes no white space in a value."""
    listen = settings.listen
    address = listen if listen.startswith("unix:") else f"inet:{listen}"
    context = ",policy_context=submission" if service.takes_logins else ""
    ours = f"{{{address},timeout=1s,default_action=DUNNO,try_limit=1{context}}}"
    items = [*rest[:at], CHECK, ours, *rest[at:]]
    value = f"{service.key}/{name}={','.join(items)}"
    return shlex.join([*_command(settings), "-P", value])


def _command(settings: PolicySettings) -> list[str]:
    directory = settings.config_directory
    return [settings.postconf, *(["-c", directory] if directory else [])]

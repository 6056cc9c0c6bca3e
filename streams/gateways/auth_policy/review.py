"""Whether Dovecot asks us, by what doveconf(1) says and by what the running server has heard."""

import os
import subprocess
from pathlib import Path

from streams import http_health, needs, tokens
from streams.gateway import Note
from streams.gateways.auth_policy.settings import AuthPolicySettings

PATIENCE = 10.0  # seconds for a call of doveconf, or an answer
QUIET = 600.0  # seconds without a question that are worth a word
SLOW = 2000  # milliseconds: Dovecot's own time-out; a login should not wait longer for us
NEEDED = ("login", "pwhash", "remote", "protocol", "mech")
PREFIX = "auth_policy_"
ASKED = (
    "server_url",
    "hash_nonce",
    "server_timeout_msecs",
    "reject_on_fail",
    "log_only",
    "check_before_auth",
    "report_after_auth",
    "request_attributes",
)
EXAMPLE = {
    "hash_nonce": "<a long random text, the same on all Dovecots of the site>",
    "server_timeout_msecs": "200",
    "reject_on_fail": "no",
    "log_only": "no",
    "check_before_auth": "yes",
    "report_after_auth": "yes",
    "request_attributes": (
        "login=%{requested_username} pwhash=%{hashed_password} remote=%{rip}"
        " protocol=%s mech=%m host=%{hostname}"
    ),
}


def review(settings: AuthPolicySettings) -> list[Note]:
    """What works, what does not, and what to write into Dovecot's configuration."""
    return [*_running(settings), *(_dovecot(settings) if settings.doveconf else ())]


# -- our server -------------------------------------------------------------------------------


def _running(settings: AuthPolicySettings) -> list[Note]:
    try:
        key = _own_key(settings)
    except (OSError, ValueError) as error:
        return [Note("unknown", f"whether it answers at {settings.listen}: {error}")]
    try:
        headers = {"X-API-Key": key} if key else {}
        said = http_health.ask(settings, "POST", "/?command=ping", headers)
    except http_health.AwayError:
        return [needs.vacant(settings.listen)]
    except http_health.UNEXPECTED as error:
        return [needs.foreign(settings.listen, error)]
    asked, told = said.get("asked"), said.get("told")
    notes = [Note("ok", f"answers at {settings.listen}")]
    if asked is None:
        notes.append(Note("warning", "no mail server has asked since it was started"))
    else:
        ago = f"a mail server asked last {asked:.0f} s ago"
        notes.append(Note("ok" if asked <= QUIET else "warning", ago))
        if told is None:
            notes.append(Note("failed", "what came of the logins is not reported"))
    return notes


def _own_key(settings: AuthPolicySettings) -> str:
    if settings.key or not settings.key_file:
        return settings.key
    keys = [line.split()[-1] for line in tokens.read(Path(settings.key_file))]
    plain = [key for key in keys if not key.startswith(tokens.HASHED)]
    if not plain:
        raise ValueError(f"{settings.key_file} holds digests only: it cannot be asked from here")
    return plain[0]


# -- Dovecot ----------------------------------------------------------------------------------


def _dovecot(settings: AuthPolicySettings) -> list[Note]:
    try:
        said = _told(settings)
    except (OSError, subprocess.SubprocessError) as error:
        return [
            Note("unknown", f"{settings.doveconf} cannot be asked what Dovecot is told: {error}")
        ]
    url = said.get("server_url", "")
    if not url:
        lines = {"server_url": _url(settings), **EXAMPLE}
        return [Note("failed", "Dovecot asks no policy server", _remedy(*lines.items()))]
    notes = []
    _, _, port = settings.listen.rpartition(":")
    if f":{port}" not in url.rpartition("@")[2]:
        remedy = _remedy(("server_url", _url(settings)))
        notes.append(Note("failed", f"Dovecot asks another server, not {settings.listen}", remedy))
    for name, wrong, words in (
        ("hash_nonce", said.get("hash_nonce") == "", "passwords cannot be told apart"),
        (
            "server_timeout_msecs",
            _number(said.get("server_timeout_msecs")) > SLOW,
            "logins wait too long for us where we do not answer",
        ),
        ("reject_on_fail", _is(said, "reject_on_fail"), "nobody can log in while we are down"),
        ("log_only", _is(said, "log_only"), "Dovecot asks, but goes by no answer"),
        (
            "check_before_auth",
            not _is(said, "check_before_auth", "yes"),
            "guessing goes on: Dovecot asks only when the password was right",
        ),
        (
            "report_after_auth",
            not _is(said, "report_after_auth", "yes"),
            "what came of the logins is not reported",
        ),
    ):
        if wrong:
            notes.append(Note("failed", words, _remedy((name, EXAMPLE[name]))))
    lacking = [name for name in NEEDED if name not in _attributes(said)]
    if said.get("request_attributes") and lacking:
        text = f"Dovecot does not tell {', '.join(lacking)}"
        remedy = _remedy(("request_attributes", EXAMPLE["request_attributes"]))
        notes.append(Note("failed", text, remedy))
    return notes or [Note("ok", "Dovecot asks before each login, and goes on when we are down")]


def _told(settings: AuthPolicySettings) -> dict[str, str]:
    """Dovecot's settings, by their names behind auth_policy_. Raises OSError, SubprocessError."""
    options = ["-c", settings.dovecot_conf] if settings.dovecot_conf else []
    done = subprocess.run(
        [settings.doveconf, *options, *(PREFIX + name for name in ASKED)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=PATIENCE,
        env={**os.environ, "LC_ALL": "C"},
        check=False,  # it fails where its Dovecot does not know one of the names
    )
    if not done.stdout:
        done.check_returncode()
    pairs = (line.partition(" = ") for line in done.stdout.decode(errors="replace").splitlines())
    return {name.removeprefix(PREFIX): value.strip() for name, _, value in pairs}


def _is(said: dict[str, str], name: str, default: str = "no") -> bool:
    return said.get(name, default) == "yes"


def _number(text: str | None) -> int:
    return int(text) if text and text.isdecimal() else 0


def _attributes(said: dict[str, str]) -> set[str]:
    names = (pair.partition("=")[0] for pair in said.get("request_attributes", "").split())
    return {name.rpartition("/")[2] for name in names}


def _url(settings: AuthPolicySettings) -> str:
    return f"{'https' if settings.certificate else 'http'}://{settings.listen}/"


def _remedy(*lines: tuple[str, str]) -> tuple[str, ...]:
    return tuple(f"{PREFIX}{name} = {value}" for name, value in lines)

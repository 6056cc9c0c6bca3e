"""mailwarden.toml.example, made from the settings themselves: names, defaults, comments.

`python -m tools.example > mailwarden.toml.example`; a test tells when it is stale.
"""

import ast
import inspect
import io
import sys
import textwrap
import tokenize
from collections.abc import Iterator
from typing import Any, Literal, get_args, get_origin

import msgspec

from agents.detectors import DETECTORS
from schemas.settings import (
    ConsoleSettings,
    DomainSettings,
    IntakeSettings,
    ParsersSettings,
    ProxySettings,
    Settings,
    TopicSettings,
)
from streams.gateways import GATEWAYS
from streams.sinks import SINKS

TOP = """\
# Every setting, with its default. Copy what you change to mailwarden.toml: what is left out
# keeps its default. `mailwarden check` says what would be done with it.
# Times are in seconds. Networks are written as 192.0.2.1, 192.0.2.0/24 or 2001:db8::/48. Beside
# thresholds [brackets] name the source, and * is a choice of ours.
"""
CUSTOM = """\
# A log format of the site's own: one pattern for what a line says after its stamp, host and tag.
# `mailwarden check` tries the cases.
# [parsers.custom.shop]
# programs = ["shopd"]            # syslog tags; none: lines without a tag
# event = "auth"                  # what a line reports: auth, connection, recipient, message, ...
# pattern = 'login of (?P<account>[^ ]{1,99}) from (?P<client>[^ ]{1,45}) refused'
# set = { outcome = "failed", service = "imap" }      # fields that every line has alike
#
# [[parsers.custom.shop.cases]]
# text = "login of anna from 192.0.2.1 refused"
# event = { account = "anna", client = "192.0.2.1", outcome = "failed" }
"""
DOMAINS_TOP = """\
# What a domain of ours has of its own, and those below it: what is not set is as above it, and at
# last as for everybody. Thresholds are set with the detectors of mailboxes, as
# [detectors.account_burst.domains."example.org"]. Where a finding concerns several domains, the
# one that permits most rules.
# [domains."example.org"]
"""
DOMAIN_EXAMPLES = {
    "allow": ["192.0.2.0/24"],
    "severest": "tarpit",
    "stage": "alert",
    "sinks": ["desk"],
}
INTAKE_TOP = """\
# Topics on which others publish their logs, for `mailwarden intake`: topics = ["NAME", ...] in
# [intake], or, where something is to be said of them, a section for each.
"""
MAILS_TOP = """\
# Bounce and complaint mails, beside the logs. A section switches its intake on.
"""
GATEWAYS_TOP = """\
# A gateway enforces decisions. Its section switches it on. Two of a kind are told apart by
# name: [gateways.inside] with kind = "postfix".
"""
SINKS_TOP = """\
# A sink tells the SOC. Its section switches it on. Two of a kind are told apart by name:
# [sinks.desk] with kind = "webhook".
"""
CONSOLE_TOP = """\
# The operator's console: docs/console.md. Its section switches it on in `run`.
"""
COLUMN = 32
WIDTH = 100


def text() -> str:
    """The whole file."""
    parts = [TOP]
    parts += [
        section(field.name, field.type)
        for field in msgspec.structs.fields(Settings)
        if isinstance(field.type, type)
        and issubclass(field.type, msgspec.Struct)
        and field.type not in (IntakeSettings, ParsersSettings)
    ]
    parts.append(CONSOLE_TOP)
    parts += map(_hidden, _with_tables("console", ConsoleSettings))
    parts.append(_hidden(section("console.proxy", ProxySettings)))
    parts.append(DOMAINS_TOP + _domain())
    parts.append(CUSTOM)
    parts.append(INTAKE_TOP)
    parts.append(_hidden(section('intake.topics."mail.raw"', TopicSettings)))
    parts.append(MAILS_TOP)
    parts += [
        _hidden(section(f"intake.{field.name}", get_args(field.type)[0]))
        for field in msgspec.structs.fields(IntakeSettings)
        if field.name != "topics"
    ]
    parts += [section(f"detectors.{name}", kind) for name, kind in DETECTORS.items()]
    parts.append(GATEWAYS_TOP)
    for name, gateway in GATEWAYS.items():
        parts += map(_hidden, _with_tables(f"gateways.{name}", gateway.Settings))
    parts.append(SINKS_TOP)
    parts += [_hidden(section(f"sinks.{name}", k.Settings)) for name, k in SINKS.items()]
    return "\n".join(parts)


def section(name: str, kind: type[msgspec.Struct]) -> str:
    """A table with the defaults of a struct, and the comments of its source."""
    said = comments(kind)
    lines = [f"[{name}]\n"]
    for field in msgspec.structs.fields(kind):
        default = field.default
        if field.default_factory is not msgspec.NODEFAULT:
            default = field.default_factory()
        if default is None:  # a table of its own
            continue
        about = [said.get(field.name, "")]
        if get_origin(field.type) is Literal:
            about.append(f"one of {', '.join(get_args(field.type))}")
        lines += _line(f"{field.name} = {toml(default)}", "; ".join(filter(None, about)))
    return "".join(lines)


def _domain() -> str:
    """The settings of a domain have no defaults but those of everybody: examples instead."""
    said = comments(DomainSettings)
    lines: list[str] = []
    for name, value in DOMAIN_EXAMPLES.items():
        lines += _line(f"{name} = {toml(value)}", said[name])
    return _hidden("".join(lines))


def _with_tables(name: str, kind: type[msgspec.Struct]) -> Iterator[str]:
    """A section, and an example of each table of tables in it."""
    yield section(name, kind)
    for field in msgspec.structs.fields(kind):
        held = get_args(field.type)[-1:] if get_origin(field.type) is dict else ()
        if held and isinstance(held[0], type) and issubclass(held[0], msgspec.Struct):
            yield section(f"{name}.{field.name}.NAME", held[0])


def toml(value: Any) -> str:
    """A default as TOML writes it."""
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float() | str():
            return msgspec.json.encode(value).decode()
        case tuple() | list() | set() | frozenset():
            return f"[{', '.join(map(toml, value))}]"
        case dict():
            return "{" + ", ".join(f"{key} = {toml(item)}" for key, item in value.items()) + "}"
        case _:
            return toml(msgspec.to_builtins(value))


def comments(kind: type) -> dict[str, str]:
    """The comment beside each field of a struct, those it inherits included."""
    found: dict[str, str] = {}
    for ancestor in reversed(kind.__mro__):
        if ancestor.__module__.startswith(("schemas", "streams", "agents")):
            found |= comments_in(inspect.getsource(ancestor))
    return found


def comments_in(source: str) -> dict[str, str]:
    """A comment belongs to the field on its line. Lines of comment alone are about the field
    right below, if it has none beside it; else they go on with the comment right above."""
    lines = {
        token.start[0]: token
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT
    }
    fields = {
        node.lineno: node.target.id
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    }
    found = {name: [_words(lines[at])] if at in lines else [] for at, name in fields.items()}
    alone = [at for at in lines if at not in fields]
    for first in (at for at in alone if at - 1 not in alone):
        after = first
        while after in alone:
            after += 1
        block = [_words(lines[at]) for at in range(first, after)]
        if after in fields and after not in lines:
            found[fields[after]] = block
        elif first - 1 in fields:
            found[fields[first - 1]] += block
    return {name: " ".join(words) for name, words in found.items() if words}


def _words(token: tokenize.TokenInfo) -> str:
    return token.string.lstrip("# ")


def _line(assignment: str, comment: str) -> Iterator[str]:
    """An assignment, and its comment beside it, in as many lines as it needs."""
    if not comment:
        yield f"{assignment}\n"
        return
    wrapped = textwrap.wrap(comment, WIDTH - COLUMN - 2)
    if len(assignment) >= COLUMN:
        yield from (f"# {line}\n" for line in textwrap.wrap(comment, WIDTH - 2))
        yield f"{assignment}\n"
        return
    yield f"{assignment:<{COLUMN}}# {wrapped[0]}\n"
    yield from (f"{'':<{COLUMN}}# {line}\n" for line in wrapped[1:])


def _hidden(table: str) -> str:
    """A table that is commented out."""
    return "".join(f"# {line}" for line in table.splitlines(keepends=True))


if __name__ == "__main__":
    sys.stdout.write(text())

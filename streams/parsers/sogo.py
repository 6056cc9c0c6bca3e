"""SOGo (2.x to 5.x): logins at its web pages.

Source: SOGo's UI/MainUI/SOGoRootPage.m; the lines come by syslog or from ``sogo.log``, whose own
header is ``Nov 20 10:00:00 sogod [pid]: ``. The address is the ``X-Forwarded-For`` of the web
server before SOGo, so its last one from outside is the client; it stands before the name of the
user, and counts only where nobody wrote the words between the two into either.

Cannot tell logins through CalDAV or ActiveSync, which are in the web server's log.
"""

import re

from schemas.events import Auth
from streams.parsers import fields, proxied
from streams.parsers.event import event
from streams.parsers.part import Format, Items, Mask, Parse, Record

# Behind syslog's header SOGo's own may stand once more
_PROCESS = re.compile(
    r"(?:(?:[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d )?sogod ?\[\d{1,10}(?::\d{1,20})?\]:? ){0,2}"
    r"(?:\[(?:DEBUG|INFO|WARN|ERROR|FATAL)\] )?"
)
_LOGIN = re.compile(
    r"(?:<(?:0x){1,2}[0-9a-fA-F]{1,16}\[)?SOGoRootPage(?:\]>)?:? "
    r"(?P<what>Login|successful login) from '(?P<from>[^']{0,600})' "
    r"for user '(?P<user>[^']{0,320})' (?P<more>might|- expire).*",
    re.DOTALL,
)


def _log(record: Record) -> Items:
    return _read(record, _said(record.text))


def _said(text: str) -> str:
    """What stands behind the names of process and level."""
    head = _PROCESS.match(text)
    return text[head.end() :] if head else text


def _read(record: Record, text: str) -> Items:
    if "SOGoRootPage" not in text[:60]:
        return ()
    if text.count("' for user '") != 1 or text.count(" from '") != 1:
        return _hidden(record) if "might not have worked" in text else ()
    found = _LOGIN.match(text)
    if found is None:
        return ()
    ok = found["what"] == "successful login"
    return (
        event(
            Auth,
            record,
            client=proxied.last(found["from"]),
            account=fields.mailbox(found["user"]),
            outcome="ok" if ok else "failed",
            reason="" if ok else "rejected",
            service="web",
        ),
    )


def _hidden(record: Record) -> Items:
    """A failure of somebody whose name or header was made to look like the rest of the line."""
    return (event(Auth, record, outcome="failed", reason="rejected", service="web"),)


def _text(record: Record) -> Items | None:
    """A line of SOGo's own file."""
    text = record.text
    if text[:5] != "sogod":
        return None
    said = _said(text)
    return _read(record, said) if said != text else None


def parser(mask: Mask, program: str) -> Parse | None:
    """The parser of a tag; see `Format`."""
    if not program:
        return _text
    return _log if program in ("sogod", "sogo", "SOGo") else None


FORMAT = Format(
    "sogo",
    parser,
    begins=r"sogod ?\[",
)

"""SMTP dialogues that a server logs line by line (RFC 5321, RFC 4954): what came of them.

A command is on one line, its reply on another, and between them may lie what the server noted:
whose login it refused, and why. Commands may be pipelined, replies may be delayed (tarpits) or
not logged at all: a reply goes to the first command that still waits and that its enhanced code
fits. One AUTH is one attempt, whatever number of lines tells of it; one whose reply never comes
is told `PATIENCE` seconds after the server's note, or when the client is gone.

Where a front end hands a session on to a back end, both log it: the back end is believed about
the client when it has accepted the front end's word, and is silent about what the front end's
own log has told. Driven by the order of lines and their times alone; everything is bounded.
"""

import re
from collections import deque
from typing import Any

from msgspec import Struct, field

from schemas import net
from schemas.events import Auth, Connection, Delivery, Fact, Message, Recipient
from streams.parsers import reply
from streams.parsers.part import Attempt, Item, Part, Turn

PATIENCE = 20.0  # seconds that a refused login waits for its reply
MEMORY = 600.0  # seconds that a silent session is remembered
HELD = 512  # commands and recipients of one session
LIMIT = 50_000  # sessions that are remembered

Told = tuple[str, Item]  # source, item
Key = tuple[str, str]  # gateway, session

_REPLY = re.compile(r"(?P<code>[2-5]\d\d)(?:[ -] ?(?P<enhanced>[245]\.\d{1,3}\.\d{1,3})?|$)")
_PATH = re.compile(r" ?<(?P<path>[^<>]{0,512})>|(?P<bare>[^\s<>]{1,512})")
_SIZE = re.compile(r" SIZE=(?P<size>\d{1,15})", re.IGNORECASE)
_QUEUED = re.compile(
    r"(?:250 (?:2\.6\.0 )?)?<(?P<id>[^<>]{0,255})>"
    r"(?: \[InternalId ?= ?(?P<internal>\d{1,20})(?:, Hostname=[^\[\]]{1,255})?\])?"
    r"(?: (?P<size>\d{1,15}) bytes in)?"
)
_CHUNK = "chunk received"  # RFC 3030: of a message that goes on
_OF_RECIPIENT = frozenset({"5.1.1", "5.1.10", "5.1.2", "5.1.6", "5.2.2", "4.2.2", "5.7.54"})
_UNOFFERED = frozenset({500, 502, 504, 530, 538})  # AUTH, or its mechanism


class Talk(Struct, array_like=True):
    """What is known of one session."""

    last: float
    source: str
    client: str
    service: str
    waiting: list[tuple[str, str]] = field(default_factory=list)  # verb, address
    taken: list[str] = field(default_factory=list)  # recipients
    account: str = ""
    sender: str = ""
    size: int = 0
    auth: str = ""  # of the AUTH that waits for its reply: asked, denied, opened
    outcome: str = "failed"
    reason: str = ""
    mechanism: str = ""
    tried: str = ""  # the login
    noted: float = 0.0  # when the server noted that it refused it
    offset: int = -1
    claimed: str = ""  # a front end's word about the client
    behind: str = ""  # the front end's own session
    silent: bool = False  # somebody else tells of its messages
    probe: bool = False  # the mail that comes is the server's own test
    message: str = ""  # that is being sent: its queue id
    message_id: str = ""
    helo: str = ""


class Dialogues:
    """Gives what came of each command that matters, once."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._talks: dict[Key, Talk] = {}
        self._denied: deque[tuple[float, Key]] = deque()
        self._aging: deque[tuple[float, Key]] = deque()
        self._readers = {
            "command": self._command,
            "reply": self._reply,
            "denied": self._deny,
            "name": self._name,
            "user": self._user,
            "login": self._login,
            "claims": self._claim,
            "believed": self._believe,
            "probe": self._probe,
            "message": self._message,
            "closed": self._closed,
        }
        self.evicted = 0
        self.due = float("inf")  # when `advance` has something to tell

    def add(self, turn: Turn, source: str, out: list[Told]) -> None:
        """Put what is told now, by or because of this line, into `out`."""
        key = (turn.gateway, turn.session)
        talk = self._talks.get(key)
        if talk is None:
            talk = self._remember(key, turn, source, out)
        talk.last = turn.at
        self._readers[turn.kind](turn, talk, out)

    def advance(self, at: float, out: list[Told]) -> None:
        """Put what has waited long enough into `out`, and forget what is old."""
        denied = self._denied
        while denied and denied[0][0] <= at:
            _, key = denied.popleft()
            talk = self._talks.get(key)
            if talk is not None and talk.auth == "denied" and talk.noted + PATIENCE <= at:
                self._tell(key[0], talk, out)
        aging = self._aging
        while aging and aging[0][0] <= at:
            _, key = aging.popleft()
            talk = self._talks.get(key)
            if talk is not None and talk.last + MEMORY > at:
                aging.append((talk.last + MEMORY, key))
            elif talk is not None:
                del self._talks[key]
        self.due = denied[0][0] if denied else float("inf")

    def pack(self) -> Any:
        return [(key, talk) for key, talk in self._talks.items()]

    def restore(self, packed: list[tuple[Key, Talk]]) -> None:
        for key, talk in packed:
            self._talks[key] = talk
            self._aging.append((talk.last + MEMORY, key))
            if talk.auth == "denied":
                self._denied.append((talk.noted + PATIENCE, key))
        self.due = self._denied[0][0] if self._denied else float("inf")

    def _remember(self, key: Key, turn: Turn, source: str, out: list[Told]) -> Talk:
        if len(self._talks) >= self._limit:
            oldest = next(iter(self._talks))
            talk = self._talks.pop(oldest)
            self.evicted += 1
            if talk.auth == "denied":
                self._tell(oldest[0], talk, out)
        talk = self._talks[key] = Talk(turn.at, source, turn.client, turn.service)
        self._aging.append((turn.at + MEMORY, key))
        return talk

    # -- logins -----------------------------------------------------------------------------

    def _begin(self, turn: Turn, talk: Talk, out: list[Told]) -> None:
        if talk.auth == "denied":
            self._tell(turn.gateway, talk, out)
        talk.auth = "asked"
        talk.outcome, talk.reason, talk.tried = "failed", "", ""
        talk.mechanism = turn.text.partition(" ")[2].partition(" ")[0].upper()[:40]
        talk.noted, talk.offset = turn.at, turn.offset

    def _deny(self, turn: Turn, talk: Talk, out: list[Told]) -> None:
        if talk.auth == "denied" and talk.tried:
            self._tell(turn.gateway, talk, out)  # the reply was not logged
        talk.outcome, _, talk.reason = turn.text.partition(" ")
        self._wait(turn, talk)

    def _name(self, turn: Turn, talk: Talk, out: list[Told]) -> None:
        if talk.auth == "denied" and talk.tried and talk.tried != turn.text:
            self._tell(turn.gateway, talk, out)
        talk.tried = turn.text
        self._wait(turn, talk)

    @staticmethod
    def _user(turn: Turn, talk: Talk, out: list[Told]) -> None:
        """Who wants to log in, by the client's word; a second one would be the password."""
        if talk.auth == "asked" and not talk.tried:
            talk.tried = turn.text

    def _wait(self, turn: Turn, talk: Talk) -> None:
        if talk.auth != "denied":
            talk.auth = "denied"
            talk.noted, talk.offset = turn.at, turn.offset
            self._denied.append((turn.at + PATIENCE, (turn.gateway, turn.session)))
            self.due = min(self.due, turn.at + PATIENCE)

    def _login(self, turn: Turn, talk: Talk, out: list[Told]) -> None:
        """The server noted whose login was good; nobody's where another server logged in."""
        if talk.auth != "opened" and turn.text:
            talk.account = turn.text
            out.append((talk.source, _auth(turn.gateway, turn.at, turn.offset, talk, "ok", "")))
        talk.auth = "opened"

    def _tell(self, gateway: str, talk: Talk, out: list[Told]) -> None:
        """A login that was refused."""
        auth = _auth(
            gateway, talk.noted, talk.offset, talk, talk.outcome, talk.reason or "rejected"
        )
        # The event log may tell of it too, and know more.
        out.append((talk.source, Attempt("smtp", auth)))
        talk.auth = talk.tried = talk.reason = ""
        talk.outcome = "failed"

    def _answer(self, turn: Turn, talk: Talk, code: int, out: list[Told]) -> None:
        """The reply to AUTH."""
        if code == 235:
            if talk.auth != "opened" and (talk.tried or turn.text.endswith("successful")):
                talk.account = talk.tried
                out.append((talk.source, _auth(turn.gateway, turn.at, turn.offset, talk, "ok", "")))
        elif code == 535 or talk.auth == "denied":
            if talk.auth != "denied":
                talk.noted, talk.offset = turn.at, turn.offset
            self._tell(turn.gateway, talk, out)
        elif code == 454:
            talk.noted, talk.offset = turn.at, turn.offset
            talk.outcome, talk.reason = "error", "server"
            self._tell(turn.gateway, talk, out)
        elif code in _UNOFFERED:
            out.append((talk.source, _connection(turn, talk, "refused", "mechanism")))
        talk.auth = ""

    # -- mail -------------------------------------------------------------------------------

    def _command(self, turn: Turn, talk: Talk, out: list[Told]) -> None:
        verb = turn.text[:4].upper()
        if verb == "AUTH" or turn.text[:6].upper() == "X-EXPS":
            if not turn.ours:
                self._begin(turn, talk, out)
        elif verb == "MAIL":
            if talk.auth == "denied":
                self._tell(turn.gateway, talk, out)
            talk.auth = ""  # whatever came of it, its reply was not logged
            talk.taken.clear()
            talk.probe = False
            size = _SIZE.search(turn.text)
            talk.size = int(size["size"]) if size else 0
            talk.waiting = [(verb, _path(turn.text))]
            talk.sender = talk.waiting[0][1]
        elif verb in ("RCPT", "DATA", "BDAT"):
            if len(talk.waiting) < HELD and (verb, "") not in talk.waiting:
                talk.waiting.append((verb, _path(turn.text) if verb == "RCPT" else ""))
        elif verb in ("RSET", "EHLO", "HELO"):
            talk.waiting.clear()
            talk.taken.clear()
            if verb != "RSET":
                talk.helo = turn.text[5:].strip()[:255]

    def _reply(self, turn: Turn, talk: Talk, out: list[Told]) -> None:
        found = _REPLY.match(turn.text)
        if found is None:
            return
        code, enhanced = int(found["code"]), found["enhanced"] or ""
        if code in (334, 354) or (code == 250 and _CHUNK in turn.text.lower()):
            return
        if turn.ours:
            verb, address = self._asked(talk, code, enhanced, turn)
            if talk.message:
                self._sent(turn, talk, verb, address, code, enhanced, out)
            return
        if talk.auth or code in (235, 535):
            self._answer(turn, talk, code, out)
            if code != 421:
                return
        if code == 421:
            talk.waiting.clear()
            if "too many errors" in turn.text.lower():
                out.append((talk.source, _connection(turn, talk, "abuse", "too_many_errors")))
            return
        verb, address = self._asked(talk, code, enhanced, turn)
        if not (talk.silent or talk.probe):
            self._received(turn, talk, verb, address, code, enhanced, out)

    @staticmethod
    def _asked(talk: Talk, code: int, enhanced: str, turn: Turn) -> tuple[str, str]:
        """The command that a reply is to; those before it were taken, whose replies are missing."""
        waiting = talk.waiting
        if not waiting:
            return "", ""
        first = 0
        if not turn.ours:
            if code == 250 and (enhanced == "2.6.0" or "queued mail" in turn.text.lower()):
                first = len(waiting) - 1
            elif enhanced == "2.1.5" or enhanced in _OF_RECIPIENT or "relay" in turn.text:
                first = next((at for at, one in enumerate(waiting) if one[0] == "RCPT"), 0)
        talk.taken += [address for verb, address in waiting[:first] if verb == "RCPT"]
        asked = waiting[first]
        del waiting[: first + 1]
        if asked[0] == "RCPT" and code < 300:
            talk.taken.append(asked[1])
        del talk.taken[HELD:]
        return asked

    def _received(
        self,
        turn: Turn,
        talk: Talk,
        verb: str,
        address: str,
        code: int,
        enhanced: str,
        out: list[Told],
    ) -> None:
        if code < 300:
            if verb in ("DATA", "BDAT") or enhanced == "2.6.0":
                self._accepted(turn, talk, out)
            return
        if code == 503:
            return  # to what was pipelined after a command that failed
        said = turn.text[4:].removeprefix(enhanced).strip()
        if not verb:
            if code in (500, 502):
                out.append((talk.source, _connection(turn, talk, "abuse", "unknown_command")))
            elif code in (521, 550, 554):
                reason = reply.verdict(code, enhanced, said)[1]
                out.append((talk.source, _connection(turn, talk, "refused", reason)))
            return
        verdict, reason = reply.verdict(code, enhanced, said)
        if verb == "MAIL":
            if verdict != "deferred":
                out.append((talk.source, _connection(turn, talk, "refused", reason)))
            return
        if verb != "RCPT":
            address = talk.taken[0] if len(talk.taken) == 1 else ""
        refused = Recipient(
            at=turn.at,
            gateway=turn.gateway,
            offset=turn.offset,
            client=talk.client,
            account=talk.account,
            sender=talk.sender,
            recipient=address,
            verdict=verdict,
            code=code,
            enhanced=enhanced,
            reason=reason,
            helo=talk.helo,
        )
        out.append((talk.source, refused))

    @staticmethod
    def _accepted(turn: Turn, talk: Talk, out: list[Told]) -> None:
        found = _QUEUED.match(turn.text.removeprefix("250 2.6.0 ").strip())
        values: dict[str, Any] = {
            "client": talk.client,
            "account": talk.account,
            "sender": talk.sender,
            "recipients": len(talk.taken),
            "size": talk.size,
            "helo": talk.helo,
        }
        if found is not None:
            values["message_id"] = found["id"].strip()
            values["size"] = int(found["size"] or talk.size)
        internal = found["internal"] if found is not None else None
        if internal:
            values["queue_id"] = internal
            out.append((talk.source, _part(turn, internal, Message, values, "message")))
        else:
            message = Message(at=turn.at, gateway=turn.gateway, offset=turn.offset, **values)
            out.append((talk.source, message))
        talk.taken.clear()

    def _sent(
        self,
        turn: Turn,
        talk: Talk,
        verb: str,
        address: str,
        code: int,
        enhanced: str,
        out: list[Told],
    ) -> None:
        if code < 300 and verb not in ("DATA", "BDAT"):
            return
        recipients = [address] if verb == "RCPT" else talk.taken
        status = "sent" if code < 300 else "deferred" if code < 500 else "bounced"
        for recipient in recipients:
            values = {
                "message_id": talk.message_id,
                "queue_id": talk.message,
                "sender": talk.sender,
                "recipient": recipient,
                "relay": talk.client,
                "status": status,
                "enhanced": enhanced,
                "reason": reply.failure(enhanced, turn.text[4:]) if code >= 400 else "",
            }
            once = f"{status} {recipient}"
            out.append((talk.source, _part(turn, talk.message, Delivery, values, once)))
        if verb in ("DATA", "BDAT"):
            talk.taken.clear()

    # -- the rest ---------------------------------------------------------------------------

    def _claim(self, turn: Turn, talk: Talk, out: list[Told]) -> None:
        """A front end, or whoever says to be one: "address session"; "+" where it goes on to tell
        of the session's messages itself."""
        talk.claimed, _, talk.behind = turn.text.partition(" ")

    def _believe(self, turn: Turn, talk: Talk, out: list[Told]) -> None:
        """The server took the front end's word."""
        client = net.address(talk.claimed)
        front = self._talks.get((turn.gateway, talk.behind.rstrip("+")))
        if client:
            talk.client = client
        talk.account = front.account if front is not None else ""
        talk.helo = front.helo if front is not None else ""  # it was the front end's own
        talk.silent = front is not None and talk.behind.endswith("+")

    def _probe(self, turn: Turn, talk: Talk, out: list[Told]) -> None:
        """A mail with which the server tests itself."""
        talk.probe = True
        talk.waiting.clear()

    def _message(self, turn: Turn, talk: Talk, out: list[Told]) -> None:
        """What is being sent: "queue-id message-id"."""
        talk.message, _, talk.message_id = turn.text.partition(" ")

    def _closed(self, turn: Turn, talk: Talk, out: list[Told]) -> None:
        if talk.auth == "denied":
            self._tell(turn.gateway, talk, out)
        talk.waiting.clear()
        if not turn.ours:
            out.append((talk.source, _connection(turn, talk, "closed", turn.text)))


def _path(text: str) -> str:
    """The address of ``MAIL FROM:<a> SIZE=1``."""
    found = _PATH.match(text.partition(":")[2])
    return (found["path"] or found["bare"] or "").lower()[:320] if found else ""


def _auth(gateway: str, at: float, offset: int, talk: Talk, outcome: str, reason: str) -> Auth:
    return Auth(
        at=at,
        gateway=gateway,
        offset=offset,
        client=talk.client,
        account=talk.account if outcome == "ok" else talk.tried,
        outcome=outcome,
        reason=reason,
        mechanism=talk.mechanism,
        service=talk.service,
    )


def _connection(turn: Turn, talk: Talk, outcome: str, reason: str) -> Connection:
    return Connection(
        at=turn.at,
        gateway=turn.gateway,
        offset=turn.offset,
        client=talk.client,
        outcome=outcome,
        reason=reason,
    )


def _part(turn: Turn, key: str, event: type[Fact], values: dict[str, Any], once: str) -> Part:
    """An event that a log of the queue may tell too."""
    names = ("client", "account", "sender", "message_id")
    keeps = {name: values[name] for name in names if values.get(name)}
    keeps["origin"] = "dialogue"
    return Part(
        turn.at,
        turn.gateway,
        "exchange",
        key,
        keeps,
        turn.offset,
        event,
        values,
        once=once,
    )

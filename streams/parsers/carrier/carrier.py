"""A line of log as bytes -> `Record`: when, which host, which program, what it said.

rsyslog repeats a line as ``message repeated N times: [ text]`` after its own tag, BSD syslogd as
``last message repeated N times``: either is a record that stands for N.

Known carriers: the syslog file (RFC 3164 or ISO 8601 stamps, with or without host, tag and
PRI), RFC 5424, the journal's JSON (systemd's JOURNAL_EXPORT_FORMATS), Docker's json-file,
Dovecot's own log file, multilog (TAI64N), files of single programs with stamps of their own,
tables with a header; and JSON objects that are an event themselves. The fast path is the syslog
file: a stamp and a "host program[pid]" that were seen before cost one look-up each.
"""

import re

from msgspec import Struct, structs

from streams.parsers.carrier.envelope import DEEPEST, Splits, opened
from streams.parsers.carrier.letter import Letter
from streams.parsers.carrier.stamps import DAY, MONTHS, Stamps
from streams.parsers.carrier.tables import (
    COUNTERS,
    FEWEST_COLUMNS,
    FIELDS,
    Table,
    headed,
    shaped,
    table,
)
from streams.parsers.part import DOCUMENT, INDENTED, Record

LONGEST = 262_144  # bytes of a line that are looked at; a journal entry can be that long
LONGEST_JSON = 4 << 20  # bytes of an envelope; one can hold many lines
LONGEST_TEXT = 8192  # characters of what the program said; Postfix cuts at 2000
FILES = 1024  # files inside envelopes that are told apart
ORIGINS = 65_536  # heads that are remembered
LONGEST_HEAD = 300

_PRI = re.compile(r"<\d{1,3}>")
_RFC5424 = re.compile(
    r"1 (?P<stamp>\S+) (?P<host>\S+) (?P<program>\S+) (?P<pid>\S+) \S+ "
    r"(?:-|(?:\[[^ \]=\"]+(?: [^ =\]\"]+=\"(?:[^\"\\\]]|\\.)*\")*\])+)"
    r"(?: (?:\ufeff)?(?P<text>.*))?",
    re.DOTALL,
)
# NCSA's common log format: the stamp stands fourth
_NCSA = re.compile(r"[0-9A-Fa-f.:]{3,45} \S{1,256} [^\s\[]{1,512} \[\d\d/[A-Z][a-z]{2}/")
_FACILITY = re.compile(r"<[a-z0-9]+\.[a-z]+> ")  # BSD syslogd -v: "<mail.info> "
_HEAD = re.compile(
    r"(?:(?P<host>\S+) )?(?P<program>[^\s\[\]()<>:]+)(?:\[(?P<pid>\w+)\])?(?P<colon>:?)"
)
_HEADLESS = re.compile(
    r"(?:NOQUEUE|warning|statistics|\d+|[0-9A-F]{6,}|[0-9B-DF-HJ-NP-TV-Zb-df-hj-np-tv-z]{10,})"
)
_HMAILSERVER = re.compile(
    r'"[A-Z0-9]{5,11}"\t-?\d{1,10}\t(?:-?\d{1,10}\t)?"(?P<stamp>\d{4}-\d\d-\d\d [\d:.]{8,15})"\t'
)
_COLOURS = re.compile(r"\x1b\[[0-9;]{0,8}m")
# Exim's own files name no program: a client, or its name of a message
_EXIM = re.compile(
    r"H=|[12][0-9A-Za-z]{5}-(?:[0-9A-Za-z]{6}-[0-9A-Za-z]{2}|[0-9A-Za-z]{11}-[0-9A-Za-z]{4}) "
)
_DOVECOT = re.compile(
    r"(?:auth(?:-worker)?|imap(?:-login)?|pop3(?:-login)?|submission(?:-login)?|lmtp|lda|"
    r"managesieve(?:-login)?|sieve-login|master|log|config|anvil|stats|indexer(?:-worker)?|"
    r"doveadm|dict|director|replicator|quota-status|ssl-params)(?=[(:<]|$)"
)
# Dovecot 1.x's own log file has the level before the program, 1.0's its name before the time
_LEVELS = frozenset({"Debug", "Info", "Warning", "Error", "Fatal", "Panic"})
_NAMED = "dovecot: "
_ARRAYS = frozenset({"[{", '["', "[["})
# An archive of a cluster's logs: label, Unix time, day, node, then the line as syslog wrote it
_ARCHIVED = re.compile(r"\S{1,40} (?P<at>\d{9,10}) \d{4}\.\d\d\.\d\d \S{1,255} ")
# A Windows event as the Event Viewer copies it: a line for each field, and then the message
VIEWER = "Event Viewer"
_VIEWED = re.compile(
    r"(?P<name>Log Name|Source|Date|Event ID|Task Category|Level|Keywords|User|Computer|"
    r"Description):(?: {1,20}(?P<value>.*))?"
)
_CEF = "CEF:"  # ArcSight's format: what stands before it is a host, even where a colon follows
_REPEATED = re.compile(
    r"message repeated (?P<times>\d{1,9}) times: \[ ?(?P<text>.*?)\]?", re.DOTALL
)
# https://github.com/kubernetes/design-proposals-archive/blob/main/node/kubelet-cri-logging.md
_CRI = re.compile(r"(?P<stream>stdout|stderr) (?P<part>[FP])(?::\w{1,32})* ")
_STAMPED = re.compile(r"[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d |\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d")
# A program that puts its own stamp behind its tag, of a log whose lines have no other
_TAGGED = re.compile(r"[\w./-]{1,64}(?:\[\d{1,10}\])?: (?=\d{4}-\d\d-\d\d[ T]\d\d:\d\d:)")
# Solaris and its kin number their messages behind the tag: "[ID 801593 mail.info] "
_NUMBERED = re.compile(r"\[ID \d{1,10} \w{1,16}\.\w{1,16}\] ")
_ODD = ("message repeated ", "[ID ")  # what may have to be taken off what was said
_LAST_REPEATED = re.compile(r"(?:\S+ )?last message repeated (?P<times>\d{1,9}) times?")


class Origin(Struct, frozen=True, gc=False):
    """What a head says. `whole`: the head is part of what was said."""

    host: str
    program: str
    pid: str
    whole: bool = False


class Remembered(Struct, omit_defaults=True):
    """What a carrier knows of the lines before: it must outlive the process."""

    header: str = ""  # of the table whose rows come
    last: tuple[float, str, str, str, str] | None = None  # the fields of a Record, up to its text
    begun: dict[str, str] = {}  # lines that go on, by file
    inner: list[tuple[str, str, "Remembered"]] = []  # host, file


class Carrier:
    """Reads the lines of one source, one after the other.

    `host` stands where a line names none.
    """

    def __init__(self, host: str, stamps: Stamps) -> None:
        self.stamps = stamps
        self._seconds = stamps.seconds
        self._second = stamps.second
        self._minutes = stamps.minutes
        self._host = host
        self._origins: dict[str, Origin] = {}
        self._kin: dict[str, Origin] = {}  # by heads without their "[pid]"
        self._last: Record | None = None
        self._splits = Splits()
        self._table: Table | None = None  # whose rows come
        self._told: float | None = None  # by the envelope around the line
        self._depth = 0
        self._inner: dict[tuple[str, str], Carrier] = {}  # by host and file
        self.rest: list[tuple[int, Letter]] = []  # what else lay in an envelope

    def pack(self) -> Remembered:
        last = self._last
        return Remembered(
            self._table.header if self._table else "",
            (last.at, last.host, last.program, last.pid, last.text) if last else None,
            self._splits.begun,
            [(host, file, inner.pack()) for (host, file), inner in self._inner.items()],
        )

    def restore(self, remembered: Remembered) -> None:
        self._table = table(remembered.header) if remembered.header else None
        self._last = Record(*remembered.last) if remembered.last else None
        self._splits.begun = dict(remembered.begun)
        for host, file, inner in remembered.inner:
            self._inside(host, file).restore(inner)

    def record(self, line: bytes, offset: int) -> Record | None:
        """What a line carries, or None for an empty one, one that goes on in the next, or an
        envelope with several lines: these are in `rest`, for `letter`.

        Raises ValueError where it is of a known carrier and cannot be read.
        """
        if 0 in line:  # what ends a line of syslog over TCP; the hole that a crash left
            line = line.strip(b"\r\n\x00")
        if len(line) > LONGEST and (line[:1] not in b"{[" or len(line) > LONGEST_JSON):
            line = line[:LONGEST]
        try:
            text = line.decode()
        except UnicodeDecodeError:
            text = line.decode("utf-8", "backslashreplace")
        begins = text[:16]
        minute = self._minutes.get(begins)
        if (
            minute is not None
            and text[26:33] == minute[1]
            and text[19:20] == "."
            and (second := text[17:26]).replace(".", "", 1).isdecimal()
        ):
            at: float | None = minute[0] + float(second)
            begin = 33
        else:
            at = self._seconds.get(begins)
            if at is None and self._table is None:
                at = self._second(text)
            begin = 16
        found: Record | None
        if at is None:
            if self._table is not None:
                found = self._row(self._table, text, offset)
                if found is not None:
                    self._last = found
                    return found
            if text[23:25] == "Z," or text[19:20] == text[10:11] == " ":
                found = self._shaped(text, offset)
                if found is not None:
                    self._last = found
                    return found
            seen = self.stamps.seen(text) if self.stamps.owns else None
            if seen is not None:
                said = seen[1][:LONGEST_TEXT].rstrip()
                self._last = found = Record(seen[0], self._host, "", "", said, offset)
                return found
            split = self.stamps.split(text)
            if split is None:
                found = self._unusual(text, offset)
                if found is not None:
                    self._last = found
                return found
            at, text = split
            begin = 0
        head, _, said = text.partition(": ")  # in no stamp a space follows a colon
        origin = self._origins.get(head[begin:]) or self._of_kin(head[begin:], said)
        if (
            origin is not None
            and not origin.whole
            and len(said) <= LONGEST_TEXT
            and (said[:1] not in "m[" or not said.startswith(_ODD))
        ):
            self._last = record = Record(
                at, origin.host, origin.program, origin.pid, said.rstrip(), offset
            )
            return record
        found = self._said(at, text[begin:], offset)
        if found is not None:
            self._last = found
        return found

    def _said(self, at: float, rest: str, offset: int) -> Record | None:
        if (rest[6:7] == "-" or rest[:2] == "H=") and _EXIM.match(rest):
            return Record(at, self._host, "", "", rest[:LONGEST_TEXT].rstrip(), offset)
        head, _, text = rest.partition(": ")
        if head in _LEVELS and _DOVECOT.match(text):
            rest = text
            head, _, text = rest.partition(": ")
        origin = self._origins.get(head)
        if origin is None:
            if rest[:3] == "std" and (cri := _CRI.match(rest)):
                part = Letter(rest[cri.end() :], at, file=cri["stream"], split=cri["part"] == "P")
                return self.letter(part, offset)
            if _STAMPED.match(rest) and (inner := self.stamps.split(rest)):
                # A container's output with its runtime's stamp before it: that one has a zone.
                rest = inner[1]
                head, _, text = rest.partition(": ")
                origin = self._origins.get(head)
        if origin is None:
            origin = self._learn(head, rest)
        if origin.whole:
            text = rest
            if "last message repeated " in text[:LONGEST_HEAD]:
                return self._repeated(at, text.rstrip(), offset)
        text = _unnumbered(text[:LONGEST_TEXT].rstrip())
        if text.startswith("message repeated "):
            found = _REPEATED.fullmatch(text)
            if found:
                said, times = found["text"].strip(), int(found["times"])
                return Record(at, origin.host, origin.program, origin.pid, said, offset, times)
        return Record(at, origin.host, origin.program, origin.pid, text, offset)

    def _repeated(self, at: float, text: str, offset: int) -> Record | None:
        """BSD syslogd only says how often the last line came again."""
        found = _LAST_REPEATED.fullmatch(text)
        last = self._last
        if found is None or last is None:
            return None
        times = int(found["times"])
        return Record(at, last.host, last.program, last.pid, last.text, offset, times)

    def _unusual(self, text: str, offset: int) -> Record | None:
        """A line that does not begin with its stamp."""
        whole = text
        indented = text[:1] in INDENTED
        text = text.lstrip("\ufeff\x00 \t").rstrip("\r\n\x00")
        if text[:1] == "\x1b":
            text = _COLOURS.sub("", text)
        if not text:
            return None
        if indented and self._last is not None and self._told is None:
            # It goes on from the line before: in Exim's reject log it is a stranger's header.
            return Record(self._last.at, self._host, INDENTED[0], "", text[:LONGEST_TEXT], offset)
        if text[0] == "{" or text[:2] in _ARRAYS:
            return self._enveloped(text, offset)
        if text[0] == "#":
            if text.startswith(FIELDS):
                self._table = table(text)
            return None
        if text[0] in "LSDETKUC" and (viewed := _VIEWED.fullmatch(text[:LONGEST_HEAD])):
            return self._viewed(viewed["name"], viewed["value"] or "", text, offset)
        spreadsheet = headed(text) if text.count(",") >= FEWEST_COLUMNS - 1 else None
        if spreadsheet is not None:
            self._table = spreadsheet
            return None
        pri = _PRI.match(text)
        if pri:
            text = text[pri.end() :]
            found = _RFC5424.fullmatch(text[:LONGEST_TEXT])
            if found:
                return self._rfc5424(found, offset)
        if text.startswith(COUNTERS):
            self._table = table(text)
            return None
        found = _HMAILSERVER.match(text) if text[:1] == '"' else None
        if found:
            return self._stamped(found["stamp"], "hmailserver", text, offset)
        if text[4:5] == "-":
            row = self._shaped(text, offset)
            if row is not None:
                return row
        split = None if whole.startswith(text[:40]) else self.stamps.split(text)
        if split is None and text.startswith(_NAMED):
            split = self.stamps.split(text[len(_NAMED) :])
        own = self.stamps.own(text) if split is None else None
        if own is None and split is None and _NCSA.match(text):
            own = self.stamps.own(text[text.index(" [") + 1 :])
            if own is not None:
                own = own[0], text
        archived = _ARCHIVED.match(text) if own is None and split is None else None
        if archived is not None:
            said = self.stamps.split(text[archived.end() :])
            split = float(archived["at"]), said[1] if said else text[archived.end() :]
        if own is not None:
            # A file of one program's: no line names it, nor a host.
            return Record(own[0], self._host, "", "", own[1][:LONGEST_TEXT].rstrip(), offset)
        if split is None and self._told is None and (tagged := _TAGGED.match(text)):
            try:
                stamp = self.stamps.iso(text[tagged.end() :])
            except ValueError:
                stamp = None  # somebody's words
            if stamp is not None:
                return self._said(stamp[0], text, offset)
        # One without a stamp has the time of its envelope, or of the line before it.
        at = self._last.at if self._last else self.stamps.now
        if self._told is not None:
            at = self._told
        elif split is None and self._last is not None and self._last.program == VIEWER:
            return Record(at, self._last.host, "", "", text[:LONGEST_TEXT].rstrip(), offset)
        return self._said(*(split or (at, text)), offset)

    def _viewed(self, name: str, value: str, text: str, offset: int) -> Record | None:
        """A field of a Windows event, no line of its own: the message that follows has its time
        and host."""
        last = self._last
        if last is None or last.program != VIEWER:
            if name != "Log Name":
                return self._said(last.at if last else self.stamps.now, text, offset)
            last = None
        at = last.at if last else self.stamps.now
        host = last.host if last else self._host
        if name == "Date":
            at = self.stamps.viewed(value) or at
        elif name == "Computer":
            host = value.strip()[:255] or host
        self._last = Record(at, host, VIEWER, "", text, offset)
        return None

    def _stamped(self, stamp: str, program: str, text: str, offset: int) -> Record:
        """A line that tells its time somewhere in its midst."""
        at = self.stamps.iso(stamp)
        if at is None:
            raise ValueError(f"no time: {stamp!r}")
        return Record(at[0], self._host, program, "", text[:LONGEST_TEXT], offset)

    def _shaped(self, text: str, offset: int) -> Record | None:
        """A row whose header was not seen, or was another's."""
        text = text.rstrip("\r\n\x00")
        found = shaped(text)
        if found is None:
            return None
        layout, values, at = found
        return Record(at, self._host, layout.program, "", text, offset, data=values)

    def _row(self, table: Table, text: str, offset: int) -> Record | None:
        text = text.rstrip("\r\n\x00")
        if text[:1] in ("#", "{", ""):
            return None
        values = table.row(text)
        at = table.at(values) if values else None
        if at is None:
            return None
        return Record(at, self._host, table.program, "", text, offset, data=values)

    def _rfc5424(self, found: "re.Match[str]", offset: int) -> Record:
        stamp = self.stamps.iso(found["stamp"])
        if stamp is None and found["stamp"] != "-":
            raise ValueError(f"no RFC 5424 time: {found['stamp']!r}")
        host, program, pid = (
            "" if found[name] == "-" else found[name] for name in ("host", "program", "pid")
        )
        at = stamp[0] if stamp else self.stamps.now
        text = _unnumbered((found["text"] or "").strip())
        return Record(at, host or self._host, program, pid, text, offset)

    # -- envelopes ------------------------------------------------------------------------

    def _enveloped(self, text: str, offset: int) -> Record | None:
        letters = opened(text)
        if len(letters) != 1:
            self.rest = [(offset, letter) for letter in letters]
            return None
        found = self.letter(letters[0], offset)
        if found is not None and found.program == DOCUMENT and not found.text:
            return structs.replace(found, text=text)
        return found

    def letter(self, letter: Letter, offset: int) -> Record | None:
        """What lay in an envelope; None where the line goes on in the next. Raises ValueError
        like `record`."""
        whole = self._splits.whole(letter)
        if whole is None:
            return None
        letter, at = whole, whole.at
        if at is None and letter.stamp:
            at = self.stamps.alone(letter.stamp)
            if at is None and letter.text and letter.data is None:
                raise ValueError(f"no time: {letter.stamp!r}")
        if at is None:
            at = self._told
        host = letter.host or self._host
        line = None
        if letter.program:
            line = self._of_program(letter, at, host, offset)
        elif letter.text:
            line = self._of_file(letter, at, host, offset)
        if letter.data is None:
            return line
        when = line.at if line else self.stamps.now if at is None else at
        return Record(when, host, DOCUMENT, "", "", offset, data=letter.data, otherwise=line)

    def glance(self, letter: Letter) -> float | None:
        """When a letter was written, if it is plain: a program's own words, and not a line that
        may have another time and host. Else None."""
        if not letter.program or letter.split or letter.data is not None or self._splits.begun:
            return None
        text = letter.text
        if text[:3] in MONTHS or text[:2] == "20" or text[:1] == "<":
            return None
        return letter.at if letter.at is not None else self.stamps.alone(letter.stamp)

    def continues(self, letter: Letter) -> bool:
        """Whether this is a part of a line that was split."""
        return letter.split or letter.file in self._splits.begun

    def _of_program(
        self, letter: Letter, at: float | None, host: str, offset: int
    ) -> Record | None:
        """What a program said. A shipper that follows a file may give the file's lines a tag of
        its own: where no format knows the tag, it may be such a line."""
        text = letter.text
        if at is None:
            at = self.stamps.now
        said, times = _unnumbered(text[:LONGEST_TEXT].strip()), 1
        if said.startswith("message repeated "):
            found = _REPEATED.fullmatch(said)
            if found:
                said, times = found["text"].strip(), int(found["times"])
        line = None
        if text[:3] in MONTHS or (text[:2] == "20" and text[10:11] == "T") or text[:1] == "<":
            line = self._of_file(structs.replace(letter, read=True), at, host, offset)
            if line is not None and line.program.startswith(letter.program):
                return line  # a shipper took the tag out of it, and left it as it was
        return Record(at, host, letter.program, letter.pid, said, offset, times, otherwise=line)

    def _of_file(self, letter: Letter, at: float | None, host: str, offset: int) -> Record | None:
        """A line as it stood in a file. Its own stamp counts, unless the envelope's is of the
        moment when the program wrote it."""
        inner = self._inside(host, letter.file)
        inner._told = at
        if at is not None and abs(at - self.stamps.now) > DAY:
            self.stamps.now = at  # the year of a stamp that has none
        line = inner.record(letter.text.encode("utf-8", "backslashreplace"), offset)
        if inner.rest:
            self.rest, inner.rest = inner.rest, []
        if line is not None and at is not None and not letter.read:
            line = structs.replace(line, at=at)
        if line is not None and letter.file and not line.program:
            return structs.replace(line, file=letter.file)  # a program may write to several
        return line

    def _inside(self, host: str, file: str) -> "Carrier":
        inner = self._inner.get((host, file))
        if inner is None:
            if len(self._inner) >= FILES:
                del self._inner[next(iter(self._inner))]
            inner = self._inner[host, file] = Carrier(host, self.stamps)
            inner._depth = self._depth + 1
            if inner._depth > DEEPEST:
                raise ValueError(f"more than {DEEPEST} envelopes, one in the other")
        return inner

    def _of_kin(self, head: str, said: str) -> Origin | None:
        """The origin of a head that is known but for its pid: each session has another."""
        if head[-1:] != "]" or len(head) > LONGEST_HEAD:
            return None
        name, _, pid = head[:-1].rpartition("[")
        kin = self._kin.get(name)
        if kin is None or not pid.isdecimal() or said[:4] == _CEF:
            return None
        origin = Origin(kin.host, kin.program, pid)
        self._keep(head, origin)
        return origin

    def _learn(self, head: str, rest: str) -> Origin:
        origin = self._origin(head, rest)
        if head in _LEVELS:
            return origin  # each line says anew whether it is Dovecot's
        if len(head) <= LONGEST_HEAD and not (origin.whole and ("(" in head or " " in head)):
            self._keep(head, origin)
            if origin.pid and origin.program != "CEF" and not origin.whole and head[-1] == "]":
                if len(self._kin) >= ORIGINS:
                    self._kin.clear()
                self._kin[head[: head.rindex("[")]] = origin
        return origin

    def _keep(self, head: str, origin: Origin) -> None:
        if len(self._origins) >= ORIGINS:
            self._origins.clear()
        self._origins[head] = origin

    def _origin(self, head: str, rest: str) -> Origin:
        facility = _FACILITY.match(head)
        if facility:
            head = head[facility.end() :]
        if _DOVECOT.match(head):
            return Origin(self._host, "dovecot", "", whole=True)
        found = _HEAD.fullmatch(head)
        if found is None or (not found["pid"] and _HEADLESS.fullmatch(found["program"])):
            return Origin(self._host, "", "", whole=True)
        if found["host"] and rest == head and not found["pid"]:
            # Two words and no colon: a line without a head, not a head without a line.
            return Origin(self._host, "", "", whole=True)
        host, program, pid = (found[name] or "" for name in ("host", "program", "pid"))
        if rest.startswith(_CEF, len(head) + 2):
            return Origin(host or program, "CEF", pid)
        # "host/192.0.2.1" (a relay names the sender's address), "source@host" (syslog-ng)
        host = host.partition("/")[0].rpartition("@")[2]
        return Origin(host or self._host, program, pid)


def _unnumbered(text: str) -> str:
    """What a program said, without the number that Solaris puts before it."""
    found = _NUMBERED.match(text) if text[:4] == "[ID " else None
    return text[found.end() :] if found else text

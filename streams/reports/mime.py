"""A mail taken apart into its parts, at a bounded cost whatever a stranger has built.

Written for reports, so it is forgiving (missing ends, wrong types, bare CR, damaged charsets) and
it does not open what a report encloses: of a returned mail only the header is of interest. Each
boundary is searched once in the range of its own part, which is linear for each level; the
numbers below bound levels, parts, fields and bytes. The standard library's parser is exact, but
its cost grows with the square of hostile input (RFC 2045, RFC 2046, RFC 5322).
"""

import base64
import binascii
import quopri
import re
from collections.abc import Iterator
from email.errors import HeaderParseError
from email.header import decode_header

from msgspec import Struct

MOST = 1 << 20  # bytes of a mail that are looked at
DEPTH = 8  # levels of multipart
PARTS = 64
HEADER = 1 << 16  # bytes of a header
FIELDS = 500
VALUE = 4096  # characters of a field
TEXT = 1 << 16  # bytes of a part that are decoded

Fields = dict[str, list[str]]
"""Header fields by their lower-case name, each with its values in order, unfolded."""

_FIELD = re.compile(r"([!-9;-~]{1,76})[ \t]{0,8}:(.{0,4096})", re.DOTALL)
_KIND = re.compile(r"\s*([\w.+-]{1,60})\s*/\s*([\w.+-]{1,60})")
_BOUNDARY = re.compile(
    r"""\bboundary\s{0,8}=\s{0,8}(?:"([^"]{1,200})"|([^\s;"]{1,200}))""", re.IGNORECASE
)
_CHARSET = re.compile(r"""\bcharset\s{0,8}=\s{0,8}["']?([\w.:-]{1,40})""", re.IGNORECASE)
_SAFE_CHARSET = re.compile(
    r"(?:utf|iso|latin|windows|cp|ms|us-ascii|ascii|koi8|gb|hz|big5|euc|shift|s-?jis|ks|tis|mac)",
    re.IGNORECASE,
)  # not the codecs that need more than linear time (punycode, idna) or are no text at all
_ADDRESS = re.compile(
    r"""[^\s<>"',;:()]{1,64}@[^\s<>"',;:()@]{1,255}|"[^"]{1,62}"@[^\s<>"@]{1,255}"""
)
_TAG = re.compile(r"<[^<>]{1,2000}>")
_BREAK = re.compile(r"<(?:br|/p|/div|/tr|/h\d|/li|p)\b[^<>]{0,500}>", re.IGNORECASE)
_UNSHOWN = re.compile(r"<(/?)(?:style|script|head)\b", re.IGNORECASE)
_ENTITIES = {"lt": "<", "gt": ">", "amp": "&", "quot": '"', "nbsp": " ", "#39": "'", "#64": "@"}
_ENTITY = re.compile("&(" + "|".join(_ENTITIES) + ");", re.IGNORECASE)


class Part(Struct):
    """A part that holds no others; `kind` is its type in lower case, such as ``text/plain``."""

    kind: str
    headers: Fields
    body: bytes

    def text(self) -> str:
        """The content as text with its transfer encoding undone, cut at TEXT; no error."""
        content = first(self.headers, "content-type")
        found = _CHARSET.search(content)
        body = _decoded(self.body, first(self.headers, "content-transfer-encoding").strip().lower())
        text = _text(body, found[1] if found else "").replace("\r\n", "\n").replace("\r", "\n")
        return plain(text) if self.kind == "text/html" else text


class Mail(Struct):
    headers: Fields
    parts: list[Part]


def first(fields: Fields, *names: str) -> str:
    """The first value that there is of one of these fields; "" where there is none."""
    for name in names:
        for value in fields.get(name, ()):
            if value:
                return value
    return ""


def split(raw: bytes) -> Mail:
    """A mail's header and parts, in order; enclosed mails are parts, and not opened."""
    raw = raw[:MOST].lstrip(b"\r\n")
    if b"\r" in raw:
        raw = raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    if raw.startswith((b"From ", b">From ")):  # a mailbox's separator
        raw = raw.partition(b"\n")[2]
    headers, body = _open(raw)
    parts: list[Part] = []
    _walk(headers, body, 0, parts)
    return Mail(headers, parts)


def fields(text: str) -> Fields:
    """The header fields at the beginning of a text, up to its first empty line."""
    found: Fields = {}
    for name, value in pairs(text.partition("\n\n")[0].split("\n", FIELDS * 4)):
        if name:
            found.setdefault(name, []).append(value)
    return found


def pairs(lines: list[str]) -> Iterator[tuple[str, str]]:
    """(lower-case name, value) of each field; a line that is no field goes on with the one
    before, also without the white space that it should begin with. ("", "") is an empty line."""
    name, pieces = "", [""]
    count = 0
    for line in lines:
        found = _FIELD.match(line) if line[:1] not in (" ", "\t") else None
        if found or not line.strip():
            if name:
                yield name, " ".join(pieces).strip()[:VALUE]
            name, pieces = "", []
            if found is None:
                yield "", ""
            else:
                name, pieces = found[1].lower(), [found[2].strip()]
                count += 1
                if count > FIELDS:
                    return
        elif name and len(pieces) < 100:
            pieces.append(line.strip())
    if name:
        yield name, " ".join(pieces).strip()[:VALUE]


def words(value: str) -> str:
    """A field's value with its encoded words (RFC 2047) undone."""
    value = value[:1000]
    if "=?" not in value:
        return value
    try:
        pieces = decode_header(value)
    except (HeaderParseError, binascii.Error, ValueError):
        return value
    return "".join(
        piece if isinstance(piece, str) else _text(piece, charset or "ascii")
        for piece, charset in pieces
    )


def mailbox(text: str) -> str:
    """The first mail address in a text, in lower case; "" where there is none."""
    found = _ADDRESS.search(text)
    return found[0].strip(".").lower() if found else ""


def address(fields: Fields, *names: str) -> str:
    """The address of the first of these fields that has one."""
    for name in names:
        value = first(fields, name)
        found = mailbox(value[value.rfind("<") :] if "<" in value else value)
        if found:
            return found
    return ""


def plain(html: str) -> str:
    """The text of HTML; lines end where paragraphs and rows do."""
    text = _TAG.sub("", _BREAK.sub("\n", _shown(html)))
    return _ENTITY.sub(lambda found: _ENTITIES[found[1].lower()], text)


def _shown(html: str) -> str:
    """HTML without what lies between the tags of styles and scripts."""
    kept, begin, within = [], 0, False
    for found in _UNSHOWN.finditer(html):
        if not within:
            kept.append(html[begin : found.start()])
        begin, within = found.start(), not found[1]
    if not within:
        kept.append(html[begin:])
    return "".join(kept)


def _walk(headers: Fields, body: bytes, depth: int, parts: list[Part]) -> None:
    content = first(headers, "content-type")
    found = _KIND.match(content)
    kind = f"{found[1]}/{found[2]}".lower() if found else "text/plain"
    boundary = _BOUNDARY.search(content) if kind.startswith("multipart/") else None
    if boundary is None or depth >= DEPTH:
        if len(parts) < PARTS:
            parts.append(Part(kind, headers, body))
        return
    for piece in _pieces(body, (boundary[1] or boundary[2]).encode("utf-8", "replace")):
        if len(parts) >= PARTS:
            return
        _walk(*_open(piece), depth + 1, parts)


def _pieces(body: bytes, boundary: bytes) -> Iterator[bytes]:
    """What lies between the lines of a boundary; what stands before the first is no part,
    unless there is no boundary at all."""
    body = b"\n" + body
    marks = re.finditer(
        rb"\n--" + re.escape(boundary.rstrip()) + rb"(--)?[ \t]{0,80}(?:\n|\Z)", body
    )
    begin = -1
    for count, mark in enumerate(marks):
        if begin >= 0:
            yield body[begin : mark.start()]
        begin = mark.end()
        if mark[1] or count >= PARTS:
            return
    yield body[begin:] if begin >= 0 else body


def _open(raw: bytes) -> tuple[Fields, bytes]:
    """Header and body of a mail or part."""
    if raw.startswith(b"\n"):
        return {}, raw[1:]
    head, _, _ = raw[:HEADER].partition(b"\n\n")
    return fields(_text(head, "")), raw[len(head) + 2 :]


def _decoded(body: bytes, encoding: str) -> bytes:
    if encoding == "base64":
        body = bytes(body[: TEXT * 3 // 2])
        body = re.sub(rb"[^A-Za-z0-9+/]", b"", body)
        try:
            return base64.b64decode(body[: len(body) // 4 * 4])[:TEXT]
        except binascii.Error:
            return b""
    if encoding == "quoted-printable":
        return quopri.decodestring(body[: TEXT * 2])[:TEXT]
    return body[:TEXT]


def _text(body: bytes, charset: str) -> str:
    if charset and _SAFE_CHARSET.match(charset) and charset.lower() not in ("us-ascii", "ascii"):
        try:
            return body.decode(charset, "replace")
        except (LookupError, ValueError):
            pass
    if b"\x1b$" in body:
        return body.decode("iso-2022-jp", "replace")
    try:
        return body.decode()
    except UnicodeDecodeError:
        return body.decode("latin-1")

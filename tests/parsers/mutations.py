"""Lines of cases, changed the way that broken shippers, cut files and strangers change them."""

from random import Random

ENDS = (b"\r", b"\x00", b"\x00\r\n", b" ", b"\t", b"\\", b'"')
PIECES = (
    b": ", b", ", b"; ", b"=", b"<", b">", b"[", b"]", b"(", b")", b'"', b"'", b"{", b"}", b"|",
    b"\\", b"\t", b"\x00", b"\x1b[31m", b"\xff", b"\xc3\x28", "\u2028".encode(), "\u0660".encode(),
    b"from=", b"to=", b"user=", b"rip=", b"rhost=", b" from ", b"[192.0.2.7]", b"2001:db8::1",
    b"-1", b"99999999999999999999999", b"NaN", b"null", b"-", b"#Fields: ",
    b"message repeated 3 times: [ ",
)  # fmt: skip


def mutated(line: bytes, others: list[bytes], random: Random) -> bytes:
    """The line after one to three changes; `others` are lines whose tails may be put to it."""
    for _ in range(random.randint(1, 3)):
        line = random.choice(_CHANGES)(line, others, random)
    return line.replace(b"\n", b" ")


def _span(line: bytes, random: Random) -> tuple[int, int]:
    begin = random.randint(0, len(line))
    return begin, min(len(line), begin + random.choice((1, 2, 5, 20, 80)))


def _cut(line: bytes, others: list[bytes], random: Random) -> bytes:
    return line[: random.randint(0, len(line))]


def _without(line: bytes, others: list[bytes], random: Random) -> bytes:
    begin, end = _span(line, random)
    return line[:begin] + line[end:]


def _twice(line: bytes, others: list[bytes], random: Random) -> bytes:
    begin, end = _span(line, random)
    return line[:end] + line[begin:end] * random.choice((1, 3, 30)) + line[end:]


def _other_byte(line: bytes, others: list[bytes], random: Random) -> bytes:
    at = random.randrange(len(line)) if line else 0
    return line[:at] + bytes((random.randrange(256),)) + line[at + 1 :]


def _put(line: bytes, others: list[bytes], random: Random) -> bytes:
    at = random.randint(0, len(line))
    return line[:at] + random.choice(PIECES) + line[at:]


def _other_word(line: bytes, others: list[bytes], random: Random) -> bytes:
    words = line.split(b" ")
    words[random.randrange(len(words))] = random.choice(random.choice(others).split(b" "))
    return b" ".join(words)


def _other_tail(line: bytes, others: list[bytes], random: Random) -> bytes:
    other = random.choice(others)
    return line[: random.randint(0, len(line))] + other[random.randint(0, len(other)) :]


def _ended(line: bytes, others: list[bytes], random: Random) -> bytes:
    return line + random.choice(ENDS)


_CHANGES = (_cut, _without, _twice, _other_byte, _put, _other_word, _other_tail, _ended)

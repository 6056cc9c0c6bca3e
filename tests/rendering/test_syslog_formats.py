"""What an attacker chose never ends a field: the formats, read back as their receivers do."""

import re

from hypothesis import given
from hypothesis import strategies as st

from schemas.findings import Subject
from streams.rendering import cef, leef, rfc5424
from tests.sinks.alerts import alert, evil

TEXT = st.text(max_size=60) | st.text(alphabet='\\"]=|^\n\r x[', max_size=30)
PARAMETER = re.compile(r' ([A-Za-z]+)="((?:[^"\\\]]|\\["\\\]])*)"')
CEF_HEAD = re.compile(r"CEF:0((?:\|(?:[^|\\]|\\.)*){6})\|")
KEY = re.compile(r"(?:^| )([A-Za-z0-9]+)=((?:[^=\\]|\\.)*)(?= [A-Za-z0-9]+=|$)")


@given(TEXT, TEXT)
def test_structured_data_comes_back(subject: str, summary: str) -> None:
    one = alert(subject=Subject("account", subject), summary=summary, decision=subject)
    sent = rfc5424.message(one, 10, "h", 8192).decode()
    assert "\n" not in sent
    head = re.match(r"<83>1 \S+ h mailwarden - auth_dictionary \[mailwarden@32473", sent)
    assert head
    at, found = head.end(), {}
    while match := PARAMETER.match(sent, at):
        at, found[match[1]] = match.end(), re.sub(r"\\(.)", r"\1", match[2])
    assert sent[at : at + 2] == "] "
    clean = "".join(c if c.isprintable() else " " for c in subject)
    assert found.get("subject", "") == clean
    assert found["id"] == "a1"
    assert found["state"] == "open"


@given(TEXT, TEXT)
def test_cef_has_no_more_fields_than_we_gave_it(subject: str, summary: str) -> None:
    one = alert(subject=Subject("account", subject), summary=summary, decision=subject)
    text = cef.payload(one, 8192)
    head = CEF_HEAD.match(text)
    assert head
    assert head[1].split("|")[-2:] == ["auth dictionary", "8"]
    keys = re.findall(r"(?<!\\)(?:\\\\)*=", text[head.end() :])
    assert len(keys) == 19 + 3 * bool(subject) + bool(summary)
    assert "\n" not in text


@given(TEXT, TEXT)
def test_leef_comes_back(subject: str, summary: str) -> None:
    one = alert(subject=Subject("account", subject), summary=summary)
    head, *fields = leef.payload(one, 8192).split("|", 6)
    assert head == "LEEF:2.0"
    assert fields[4] == "^"
    found = dict(field.split("=", 1) for field in fields[5].split("^"))
    clean = "".join(c if c.isprintable() else " " for c in subject).replace("^", "_")
    assert found.get("subject", "") == clean
    assert found["cat"] == "dictionary"
    assert found["sev"] == "8"


def test_cef_escapes_what_it_asks_for_and_no_more() -> None:
    assert cef.in_header("a|b\\c=d") == "a\\|b\\\\c=d"
    assert cef.in_extension("a|b\\c=d\r\ne\nf\rg") == "a|b\\\\c\\=d\\ne\\nf\\ng"


def test_each_kind_of_subject_has_its_field() -> None:
    def said(kind: str, value: str) -> str:
        return cef.payload(alert(subject=Subject(kind, value)), 8192)  # type: ignore[arg-type]

    assert " src=192.0.2.1 " in said("client", "192.0.2.1")
    assert " c6a2Label=Source IPv6 Address c6a2=2001:db8::1 " in said("client", "2001:db8::1")
    assert " c6a2=2001:db8:: " in said("client", "2001:db8::/64")
    assert "^src=2001:db8::^" in leef.payload(
        alert(subject=Subject("client", "2001:db8::/64")), 8192
    )
    assert " suser=anna@example.org " in said("account", "anna@example.org")
    assert " dvchost=mx1 " in said("gateway", "mx1")
    assert " sourceServiceName=198.51.100.0/24 " in said("network", "198.51.100.0/24")


def test_what_is_too_long_is_left_out_whole() -> None:
    whole = cef.payload(evil(), 1 << 20)
    short = cef.payload(evil(), 600)
    fields = whole.split("|", 7)[7]
    assert len(short.encode()) <= 600
    for field in re.split(r" (?=[A-Za-z0-9]+(?<!\\)=)", short.split("|", 7)[7]):
        assert field in fields


def test_a_list_says_how_many_it_does_not_name() -> None:
    sent = rfc5424.message(evil(), 10, "h", 1 << 16).decode()
    assert "5000, as: " in sent

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.gateways.policy import protocol
from streams.gateways.policy.protocol import NAMES, Attributes, Questions, Request, request

FULL = b"""\
request=smtpd_access_policy
protocol_state=RCPT
protocol_name=ESMTP
client_address=192.0.2.7
client_name=unknown
reverse_client_name=unknown
helo_name=client.example.net
sender=Anna+x@Example.net
recipient=Bob@example.org
recipient_count=3
queue_id=4F2A
instance=1f.6a.2.0
size=1200
sasl_method=PLAIN
sasl_username=Anna
policy_context=
"""


def test_a_question_is_what_an_empty_line_ends() -> None:
    questions = Questions()
    assert questions.feed(FULL) == []
    [attributes] = questions.feed(b"\n")
    assert attributes is not None
    assert attributes["client_address"] == "192.0.2.7"
    assert questions.end() == []


def test_what_is_asked() -> None:
    [attributes] = Questions().feed(FULL + b"\n")
    assert attributes is not None
    assert request(attributes, "example.net") == Request(
        state="RCPT",
        client="192.0.2.7",
        account="anna@example.net",
        sender="anna+x@example.net",
        recipient="bob@example.org",
        recipients=3,
        instance="1f.6a.2.0",
        submission=True,
    )


def test_several_questions_at_once_are_taken_one_after_the_other() -> None:
    found = Questions().feed(b"request=a\n\nrequest=b\n\nrequest=c")
    assert found == [{"request": "a"}, {"request": "b"}]


def test_where_nothing_more_comes_an_empty_line_may_be_missing() -> None:
    for text in (b"request=a\nsize=1", b"request=a\nsize=1\n"):
        questions = Questions()
        assert questions.feed(text) == []
        assert questions.end() == [{"request": "a", "size": "1"}]
        assert questions.end() == []


def test_values_may_hold_anything_but_a_line_end() -> None:
    assert Questions().feed(b"request=a\nsender==x= \xff\xc3\xa9\nx=y\n\n" * 4) == 4 * [
        {"request": "a", "sender": "=x= \ufffdé"}
    ]


def test_the_first_of_several_values_counts() -> None:
    said = b"request=a\nclient_address=192.0.2.1\nhelo_name=x\nclient_address=192.0.2.2\n\n"
    assert Questions().feed(4 * said) == 4 * [{"request": "a", "client_address": "192.0.2.1"}]


def test_questions_in_another_order_are_read_as_well() -> None:
    one, other = b"request=a\nsender=b\nx=\n\n", b"x=\nsender=c\nsize=1\nrequest=d\n\n"
    first = {"request": "a", "sender": "b"}
    second = {"sender": "c", "size": "1", "request": "d"}
    assert Questions().feed(3 * one + other + one + 3 * other + one) == [
        *(3 * [first]),
        second,
        first,
        *(3 * [second]),
        first,
    ]


def test_a_line_more_in_a_value_changes_nothing_before_it() -> None:
    """Who gets a line end into a value cannot take the place of what stands before it."""
    usual = b"request=a\nsender=b\nhelo_name=x\nrecipient=c\n\n"
    smuggled = b"request=a\nsender=b\nhelo_name=x\nsender=evil\nrecipient=c\n\n"
    found = Questions().feed(2 * usual + smuggled + smuggled + smuggled + usual)
    assert found == 6 * [{"request": "a", "sender": "b", "recipient": "c"}]


@pytest.mark.parametrize(
    "text",
    [
        b"nonsense",
        b"request=a\nnonsense",
        b"=a",
        b"",
        b"\nrequest=a",
        b"client_address=192.0.2.1",
        b"request=a\nx=" + b"y" * protocol.LONGEST_LINE,
        b"request=a\n" + b"x=\n" * protocol.MOST_LINES + b"x=",
        b"request=a\n" + b"\n".join([b"x=" + b"y" * 8000] * 5),
    ],
)
def test_what_is_no_question_ends_the_conversation(text: bytes) -> None:
    questions = Questions()
    assert questions.feed(b"request=a\n\n" + text + b"\n\nrequest=b\n\n") == [
        {"request": "a"},
        None,
    ]
    assert questions.feed(b"request=c\n\n") == []
    assert questions.end() == []


def test_a_question_without_end_is_none() -> None:
    questions = Questions()
    assert questions.feed(b"request=a\n" + b"x" * protocol.LONGEST) == [None]
    assert questions.feed(b"\n\n") == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("recipient_count", "many"),
        ("recipient_count", "-1"),
        ("recipient_count", "٣"),
        ("recipient_count", "9" * 40),
        ("client_address", "unknown"),
        ("client_address", "192.0.2.256"),
    ],
)
def test_nonsense_in_a_value_counts_as_not_known(name: str, value: str) -> None:
    assert request({"request": "a", name: value}) == Request()


def test_an_address_has_its_one_spelling() -> None:
    assert request({"client_address": "::FFFF:192.0.2.1"}).client == "192.0.2.1"
    assert request({"client_address": "2001:DB8:0::1"}).client == "2001:db8::1"


def test_what_comes_by_submission_is_said_by_its_login_or_its_context() -> None:
    assert request({"policy_context": "submission"}).submission
    assert request({"policy_context": "submissions"}).submission
    assert request({"sasl_username": "anna"}).submission
    assert not request({"policy_context": "mx"}).submission


names = st.one_of(
    st.text(st.characters(exclude_characters="=\n", codec="utf-8"), min_size=1, max_size=20),
    st.sampled_from(sorted(NAMES)),
)
values = st.text(st.characters(exclude_characters="\n", codec="utf-8"), max_size=60)
questions_asked = st.dictionaries(names, values, max_size=30).map(
    lambda attributes: {"request": "smtpd_access_policy", **attributes}
)


def written(attributes: Attributes) -> bytes:
    return "".join(f"{name}={value}\n" for name, value in attributes.items()).encode() + b"\n"


@given(st.lists(questions_asked, max_size=4), st.integers(1, 4), st.data())
def test_however_the_bytes_arrive_the_questions_are_the_same(
    asked: list[Attributes], times: int, data: st.DataObject
) -> None:
    asked = [one for one in asked for _ in range(times)]
    stream = b"".join(map(written, asked))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    questions, found = Questions(), []
    for begin, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        found += questions.feed(stream[begin:end])
    assert found + questions.end() == [
        {name: value for name, value in one.items() if name in NAMES} for one in asked
    ]


@given(st.lists(st.binary(max_size=300), max_size=10))
def test_no_bytes_raise_anything(pieces: list[bytes]) -> None:
    questions = Questions()
    found = [question for piece in pieces for question in questions.feed(piece)]
    found += questions.end()
    assert None not in found[:-1]
    for attributes in found:
        if attributes is not None:
            assert isinstance(request(attributes, "example.org"), Request)


@given(
    st.dictionaries(
        st.sampled_from(
            [
                "protocol_state",
                "client_address",
                "sasl_username",
                "sender",
                "recipient",
                "recipient_count",
                "instance",
                "policy_context",
            ]
        ),
        values,
    )
)
def test_whatever_a_value_says_it_is_bounded(attributes: Attributes) -> None:
    asked = request(attributes, "example.org")
    assert len(asked.account) <= 2 * protocol.LONGEST_NAME
    assert max(map(len, (asked.sender, asked.recipient, asked.instance))) <= 320
    assert asked.recipients >= 0

import base64
import hashlib
import hmac
import json
import socket
import ssl
import threading
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from agents.single.delivery import Delivery
from schemas.findings import Alert, Subject
from schemas.settings import SettingsError
from streams.rendering import formats
from streams.sink import SinkError
from streams.sinks.webhook import Webhook, WebhookSettings, signed
from tests.waiting import wait_for

KEY = b"a key of twenty-four byt"
SECRET = f"whsec_{base64.b64encode(KEY).decode()}"


def alert(name: str = "a1", revision: int = 1) -> Alert:
    return Alert(
        id=name,
        detector="auth_dictionary",
        shape="dictionary",
        severity="high",
        subject=Subject("client", "192.0.2.1"),
        first=1.0,
        last=2.0,
        at=2.0,
        summary="guesses",
        revision=revision,
    )


class Receiver:
    """An HTTP server on loopback that keeps what it was sent."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self.status = 204
        self.statuses: dict[str, int] = {}  # of messages, by their id
        self.silent = False
        self.stop = threading.Event()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                receiver.requests.append((self.path, headers, body))
                if receiver.silent:
                    receiver.stop.wait(30)
                    return
                status = receiver.statuses.get(headers["webhook-id"], receiver.status)
                self.send_response(status)
                self.send_header("location", "/elsewhere")
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}/hook?token=hidden"

    def close(self) -> None:
        self.stop.set()
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    found = Receiver()
    yield found
    found.close()


def sink(url: str, **settings: object) -> Webhook:
    return Webhook(
        WebhookSettings(url=url, **settings),  # type: ignore[arg-type]
        clock=lambda: 1_700_000_000.5,
    )


def test_an_alert_arrives_signed(receiver: Receiver) -> None:
    sink(receiver.url, secret=SECRET).send([alert("a1", revision=3)])
    [(path, headers, body)] = receiver.requests
    assert path == "/hook?token=hidden"
    assert headers["content-type"] == "application/json"
    assert headers["webhook-id"] == "a1-3"
    assert headers["webhook-timestamp"] == "1700000000"
    content = b"a1-3.1700000000." + body
    digest = hmac.new(KEY, content, hashlib.sha256).digest()
    assert headers["webhook-signature"] == f"v1,{base64.b64encode(digest).decode()}"
    message = json.loads(body)
    assert message["type"] == "alert"
    assert message["timestamp"] == "2023-11-14T22:13:20+00:00"
    assert message["data"]["id"] == "a1"
    assert message["data"]["revision"] == 3


def test_the_signature_is_that_of_the_specifications_example() -> None:
    # The test vector of the Standard Webhooks specification's own libraries.
    key = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    headers = signed("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}', key)
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize("form", ["ocsf", "ecs"])
def test_in_a_format_of_others_the_body_is_the_alert_alone(receiver: Receiver, form: str) -> None:
    sink(receiver.url, secret=SECRET, format=form).send([alert("a1", revision=3)])
    [(_, headers, body)] = receiver.requests
    assert body == formats.rendered(alert("a1", revision=3), form)
    assert headers["webhook-id"] == "a1-3"
    assert (
        headers["webhook-signature"] == signed("a1-3", 1700000000, body, KEY)["webhook-signature"]
    )


def test_check_names_the_format() -> None:
    assert sink("http://[::1]:99/x").about() == "POST to http://[::1]:99"
    assert sink("https://h.example/x").about() == "POST to https://h.example"
    assert sink("https://h.example/x", format="ocsf").about() == "POST of ocsf to https://h.example"


def test_without_a_secret_nothing_is_signed(receiver: Receiver) -> None:
    sink(receiver.url).send([alert()])
    [(_, headers, _)] = receiver.requests
    assert headers["webhook-id"] == "a1-1"
    assert "webhook-signature" not in headers


def test_each_alert_is_a_request_in_order(receiver: Receiver) -> None:
    sink(receiver.url).send([alert("a1"), alert("a2"), alert("a3")])
    assert [headers["webhook-id"] for _, headers, _ in receiver.requests] == [
        "a1-1",
        "a2-1",
        "a3-1",
    ]


def test_what_a_receiver_has_is_for_the_receiver_to_know(receiver: Receiver) -> None:
    told = sink(receiver.url)
    told.send([alert()])
    assert told.received([alert()]) == set()


@pytest.mark.parametrize("status", [302, 400, 404, 410, 429, 500, 503])
def test_any_other_answer_is_an_error_and_no_redirect_is_followed(
    receiver: Receiver, status: int
) -> None:
    receiver.status = status
    with pytest.raises(SinkError, match=f"answered {status} ") as caught:
        sink(receiver.url).send([alert()])
    assert "hidden" not in str(caught.value)
    assert len(receiver.requests) == 1


def tried(receiver: Receiver) -> list[str]:
    return [headers["webhook-id"] for _, headers, _ in receiver.requests]


def test_an_alert_that_is_refused_for_good_is_put_aside(
    receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    receiver.statuses = {"bad-1": 400}
    told = sink(receiver.url)
    for _ in range(2):
        with pytest.raises(SinkError, match="answered 400 Bad Request"):
            told.send([alert("a1"), alert("bad"), alert("a2")])
    told.send([alert("a1"), alert("bad"), alert("a2")])
    assert tried(receiver) == ["a1-1", "bad-1", "a2-1", "bad-1", "bad-1"]
    assert 'alert refused sink=webhook alert=bad-1 reason="400 Bad Request"' in caplog.text
    assert "refused the last alerts for good: 400 Bad Request" in told.trouble
    told.send([alert("bad"), alert("a3")])
    assert tried(receiver)[5:] == ["a3-1"]
    assert told.trouble == ""


@pytest.mark.parametrize("status", [401, 403, 429, 500, 503])
def test_what_may_change_is_waited_for(receiver: Receiver, status: int) -> None:
    receiver.status = status
    told = sink(receiver.url)
    for _ in range(15):
        with pytest.raises(SinkError, match=f"answered {status} "):
            told.send([alert("a1"), alert("a2")])
    assert tried(receiver) == ["a1-1"] * 15
    receiver.status = 200
    told.send([alert("a1"), alert("a2")])
    assert tried(receiver)[15:] == ["a1-1", "a2-1"]


def test_a_receiver_that_is_gone_holds_up_no_alert_for_ever(receiver: Receiver) -> None:
    receiver.status = 410
    told = sink(receiver.url)
    delivery = Delivery(told, patience=(0.001, 0.002))
    delivery.put([alert("a1"), alert("a2")])
    wait_for(delivery.idle)
    assert Counter(tried(receiver)) == {"a1-1": 10, "a2-1": 10}
    assert "410 Gone" in delivery.trouble
    receiver.status = 204
    delivery.put([alert("a3")])
    wait_for(delivery.idle)
    delivery.close()
    assert delivery.trouble == ""
    assert tried(receiver)[-1] == "a3-1"


def test_a_receiver_that_does_not_answer_is_given_up(receiver: Receiver) -> None:
    receiver.silent = True
    with pytest.raises(SinkError, match=r"no answer within 0\.2 s"):
        sink(receiver.url, timeout=0.2).send([alert()])


def test_a_receiver_that_is_not_there_is_an_error() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, and not listening: nobody else gets it
        port = taken.getsockname()[1]
        with pytest.raises(SinkError, match=rf"http://127\.0\.0\.1:{port}: .*connect"):
            sink(f"http://127.0.0.1:{port}/secret").send([alert()])


def test_the_secret_may_lie_in_a_file(receiver: Receiver, tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text(f"{SECRET}\n")
    sink(receiver.url, secret_file=str(path)).send([alert()])
    [(_, headers, body)] = receiver.requests
    assert (
        headers["webhook-signature"] == signed("a1-1", 1700000000, body, KEY)["webhook-signature"]
    )


def test_a_server_without_tls_is_not_taken_for_one(receiver: Receiver, tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    ca.write_text(_some_certificate())
    url = receiver.url.replace("http://", "https://")
    with pytest.raises(SinkError, match=r"https://127\.0\.0\.1"):
        sink(url, ca=str(ca)).send([alert()])
    assert receiver.requests == []


def _some_certificate() -> str:
    paths = ssl.get_default_verify_paths()
    bundle = Path(paths.cafile or paths.openssl_cafile).read_text()
    return bundle[: bundle.index("-----END CERTIFICATE-----") + 26]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"url": ""}, "url: expected http://"),
        ({"url": "ftp://example.org/"}, "url: expected http://"),
        ({"url": "https://"}, "url: expected http://"),
        ({"url": "http://h:port/"}, "url: expected http://"),
        ({"url": "http://h/", "timeout": 0.0}, "timeout: expected a number of seconds above 0"),
        ({"url": "http://h/", "secret": "whsec_no!"}, "secret: expected base64"),
        ({"url": "http://h/", "secret": "ä"}, "secret: expected base64"),
        ({"url": "http://h/", "secret_file": "/none"}, "secret_file: /none cannot be read"),
        ({"url": "http://h/", "ca": "/none"}, "ca: /none cannot be read"),
    ],
)
def test_settings_that_cannot_be_used_name_the_key(settings: dict[str, object], said: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Webhook(WebhookSettings(**settings))  # type: ignore[arg-type]
    assert str(caught.value).startswith(said)

import socket

import pytest

from agents import configuration
from agents.configuration import Config
from agents.running import reading
from schemas.settings import Settings, SiteSettings
from streams.reader import Reader

FIRST = (
    "2026-01-01T12:00:00+00:00 mx1 postfix/smtpd[7]: 4dJq2K5bXmz1: client=a[192.0.2.1],"
    " sasl_method=PLAIN, sasl_username=alice@example.org"
)


def config(host: str = "") -> Config:
    return configuration.build(Settings(site=SiteSettings(host=host, zone="UTC")))


def events(reader: Reader, text: str) -> list[str]:
    found = [event for _, event in reader.read([("log", iter([(0, text.encode())]))])]
    found += [event for _, event in reader.close()]
    return [event.type for event in found]


def test_the_settings_name_the_gateway_of_lines_that_name_none_else_the_machine_does() -> None:
    assert reading.host(config("mx1")) == "mx1"
    assert reading.host(config()) == socket.gethostname()


def test_a_reader_goes_on_where_an_earlier_one_stood() -> None:
    earlier = reading.new_reader(config(), None, b"")
    list(earlier.read([("log", iter([(0, FIRST.encode())]))]))
    later = reading.new_reader(config(), None, earlier.pack())
    assert later.pack() == earlier.pack() != reading.new_reader(config(), None, b"").pack()


def test_memory_that_cannot_be_read_stops_nothing(caplog: pytest.LogCaptureFixture) -> None:
    reader = reading.new_reader(config("mx1"), None, b"\xff\xff")
    assert "joins lines anew" in caplog.text
    assert "auth" in events(reader, FIRST)

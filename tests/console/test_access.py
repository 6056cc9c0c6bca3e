"""Who may do what: every route with every role, from the tables that the routes are made of."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from agents.console.access.attempts import OF_CLIENT, WINDOW, Attempts
from agents.console.access.people import ROLES, People, Person, hashed
from agents.console.access.sessions import LONGEST, MOST, Sessions
from agents.console.operations import BASE, OPERATIONS, Operation
from schemas.settings import ConsoleSettings, ProxySettings, SettingsError, UserSettings
from tests.console.harness import (
    HASH,
    NOBODY,
    PASSWORD,
    Browser,
    Place,
    configured,
    proxied,
    serving_place,
)
from tests.console.harness import (
    ROLES as NAMES,
)

PATHS = {"{id}": "a1"}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with serving_place(tmp_path_factory.mktemp("access")) as found:
        yield found


@pytest.fixture(scope="module")
def browsers(shared: Place) -> dict[str, Browser]:
    known = {role: shared.browser(name) for role, name in NAMES.items()}
    return {**known, NOBODY: shared.browser(NOBODY)}


def ask(browser: Browser, one: Operation, path: str) -> int:
    """With nothing in it: who may ask is looked at before what is asked."""
    return (
        browser.get(path) if one.method == "GET" else browser.order(path.removeprefix(BASE))
    ).status


@pytest.mark.parametrize("role", [NOBODY, *ROLES])
@pytest.mark.parametrize("one", OPERATIONS, ids=lambda one: one.name)
def test_every_operation_asks_for_its_role(
    browsers: dict[str, Browser], one: Operation, role: str
) -> None:
    path = BASE + one.path.replace("{id}", "a1").replace("{name}", "auth_dictionary")
    status = ask(browsers[role], one, path)
    if role == NOBODY:
        assert status == 401
    elif ROLES.index(role) < ROLES.index(one.role):  # type: ignore[arg-type]
        assert status == 403
    else:
        assert status in (200, 400, 404)


@pytest.mark.parametrize("path", ["/api/v1/openapi.json", "/api/v1/session", "/events"])
def test_nobody_is_told_anything_else(browsers: dict[str, Browser], path: str) -> None:
    assert browsers[NOBODY].get(path).status == 401


@pytest.mark.parametrize(
    "one", [one for one in OPERATIONS if one.method == "POST"], ids=lambda one: one.name
)
def test_every_change_needs_the_token_of_its_session(
    shared: Place, browsers: dict[str, Browser], one: Operation
) -> None:
    browser = browsers["admin"]
    path = BASE + one.path.replace("{id}", "a1")
    for token in ("", "wrong", browsers["analyst"].csrf, "\u00e9"):
        headers = {"Content-Type": "application/json", "X-CSRF-Token": token}
        encoded = {name: value.encode("utf-8").decode("latin-1") for name, value in headers.items()}
        assert browser.ask("POST", path, b"{}", encoded).status == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_another_sites_page_changes_nothing(
    browsers: dict[str, Browser], headers: dict[str, str]
) -> None:
    browser = browsers["admin"]
    own = {"Content-Type": "application/json", "X-CSRF-Token": browser.csrf}
    found = browser.ask("POST", f"{BASE}/panic", b'{"reason": "x"}', {**own, **headers})
    assert found.status == 403
    found = browser.ask(
        "POST", f"{BASE}/session", b'{"name": "a", "password": "b"}', {**own, **headers}
    )
    assert found.status == 403


def test_answers_may_run_nothing_and_lie_nowhere(browsers: dict[str, Browser]) -> None:
    for path in ("/api/v1/now", "/api/v1/nothing", "/api/v1/openapi.json"):
        for browser in browsers.values():
            headers = browser.get(path).headers
            policy = headers["Content-Security-Policy"]
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
            assert headers["Cache-Control"] == "no-store"
            assert headers["X-Content-Type-Options"] == "nosniff"
            assert headers["X-Frame-Options"] == "DENY"


# -- logging in -----------------------------------------------------------------------------------


def test_the_cookie_is_kept_from_scripts_and_other_sites(place: Place) -> None:
    found = place.browser(NOBODY).log_in("vera")
    (cookie,) = found.headers.get_all("Set-Cookie")
    assert cookie.startswith("mailwarden=")
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert "Path=/" in cookie


@pytest.mark.parametrize(
    ("name", "password"), [("vera", "wrong"), ("nobody", PASSWORD), ("", ""), ("vera", "x" * 5000)]
)
def test_who_is_wrong_is_told_no_more_than_that(place: Place, name: str, password: str) -> None:
    found = place.browser(NOBODY).log_in(name, password)
    assert found.status == 401
    assert found.json()["detail"] == "name or password are wrong"
    assert not found.headers.get_all("Set-Cookie")


def test_guessing_is_slowed_down(place: Place) -> None:
    browser = place.browser(NOBODY)
    statuses = [browser.log_in("vera", f"guess {n}").status for n in range(OF_CLIENT + 1)]
    assert statuses == [401] * OF_CLIENT + [429]
    found = browser.log_in("vera")  # the right one comes too late as well
    assert found.status == 429
    assert int(found.headers["Retry-After"]) > 0


def test_who_logs_out_is_out(place: Place) -> None:
    browser = place.browser("vera")
    cookies = dict(browser.cookies)
    assert browser.order("/session/end").status == 204
    assert browser.get("/api/v1/now").status == 401
    browser.cookies = cookies
    assert browser.get("/api/v1/now").status == 401


def test_a_new_login_ends_the_session_before_it(place: Place) -> None:
    browser = place.browser("vera")
    before = dict(browser.cookies)
    assert browser.log_in("ada").status == 200
    assert before != browser.cookies
    browser.cookies = before
    assert browser.get("/api/v1/now").status == 401


# -- without users, and behind a proxy ------------------------------------------------------------


def test_without_users_this_machine_is_the_admin(desk: Place) -> None:
    browser = desk.browser()
    assert browser.api("/session")["role"] == "admin"
    assert browser.order("/panic", reason="a test").status == 200
    assert browser.ask("POST", f"{BASE}/panic", b"{}").status == 403  # it has no token


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8025", "192.0.2.1", "", "[::1"])
def test_without_users_a_strangers_name_reaches_nothing(desk: Place, host: str) -> None:
    assert Browser(desk.port).ask("GET", f"{BASE}/now", headers={"Host": host}).status in (400, 403)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:8025", "[::1]:8025"])
def test_without_users_this_machine_has_several_names(desk: Place, host: str) -> None:
    assert Browser(desk.port).ask("GET", f"{BASE}/now", headers={"Host": host}).status == 200


def test_a_proxy_says_who_it_is(tmp_path: Path) -> None:
    with serving_place(tmp_path, configured(tmp_path, proxied())) as place:
        browser = Browser(place.port)
        assert browser.get("/api/v1/now").status == 401
        browser.headers = {"X-Remote-User": "stranger"}
        assert browser.get("/api/v1/now").status == 403
        browser.headers = {"X-Remote-User": "vera"}
        assert browser.api("/session")["role"] == "viewer"
        browser.headers = {"X-Remote-User": "ada"}  # the cookie is still vera's
        assert browser.api("/session")["role"] == "admin"


def test_a_proxy_may_let_everybody_look(tmp_path: Path) -> None:
    with serving_place(tmp_path, configured(tmp_path, proxied(role="viewer"))) as place:
        browser = Browser(place.port)
        browser.headers = {"X-Remote-User": "stranger"}
        assert browser.api("/session") | {"csrf": ""} == {
            "name": "stranger",
            "role": "viewer",
            "csrf": "",
        }


def test_nobody_else_is_believed_to_be_the_proxy(tmp_path: Path) -> None:
    proxy = ProxySettings(addresses=("192.0.2.1",), role="admin")
    own = ConsoleSettings(listen="127.0.0.1:0", proxy=proxy)
    with serving_place(tmp_path, configured(tmp_path, own)) as place:
        browser = Browser(place.port)
        browser.headers = {"X-Remote-User": "ada", "X-Forwarded-For": "192.0.2.1"}
        assert browser.get("/api/v1/now").status == 401


def test_behind_tls_the_cookie_is_for_tls(tmp_path: Path) -> None:
    with serving_place(tmp_path, configured(tmp_path, proxied())) as place:
        browser = Browser(place.port)
        browser.headers = {"X-Remote-User": "vera", "X-Forwarded-Proto": "https"}
        found = browser.get("/api/v1/session")
        (cookie,) = found.headers.get_all("Set-Cookie")
        assert cookie.startswith("__Host-mailwarden=")
        assert "Secure" in cookie
        assert "max-age" in found.headers["Strict-Transport-Security"]


# -- the parts ------------------------------------------------------------------------------------


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_sessions_end_by_themselves() -> None:
    clock = Clock()
    sessions = Sessions(600.0, clock)
    token, session = sessions.begin(Person("ada", "admin"))
    clock.now += 599
    assert sessions.find(token) is session
    clock.now += 601
    assert sessions.find(token) is None
    token, _ = sessions.begin(Person("ada", "admin"))
    while clock.now < 2200 + LONGEST:
        clock.now += 500
        sessions.find(token)
    assert sessions.find(token) is None


def test_a_page_that_looks_again_by_itself_keeps_no_session_alive() -> None:
    clock = Clock()
    sessions = Sessions(600.0, clock)
    token, _ = sessions.begin(Person("ada", "admin"))
    for _ in range(5):
        clock.now += 100
        assert sessions.find(token, by_itself=True)
    clock.now += 101
    assert sessions.find(token) is None


def test_sessions_are_bounded() -> None:
    sessions = Sessions(600.0)
    first, _ = sessions.begin(Person("ada", "admin"))
    for _ in range(MOST):
        sessions.begin(Person("ada", "admin"))
    assert len(sessions) == MOST
    assert sessions.find(first) is None


def test_attempts_are_forgotten() -> None:
    clock = Clock()
    attempts = Attempts(clock)
    for _ in range(OF_CLIENT):
        assert attempts.wait("192.0.2.1", "ada") == 0
        attempts.failed("192.0.2.1", "ada")
    assert attempts.wait("192.0.2.1", "bert") > 0
    assert attempts.wait("192.0.2.2", "ada") == 0
    clock.now += WINDOW
    assert attempts.wait("192.0.2.1", "ada") == 0


def test_neighbours_in_one_ipv6_network_are_one_client() -> None:
    attempts = Attempts()
    for number in range(OF_CLIENT):
        attempts.failed(f"2001:db8::{number + 1:x}", "ada")
    assert attempts.wait("2001:db8::ffff", "ada") > 0
    assert attempts.wait("2001:db8:0:1::1", "ada") == 0


def test_users_may_lie_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "users"
    file.write_text(f"# ours\n\nada admin {HASH}\n")
    people = People(ConsoleSettings(users_file=str(file)))
    assert people.check("ada", PASSWORD) == Person("ada", "admin")
    assert people.check("ada", "wrong") is None
    assert people.check("bert", PASSWORD) is None


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (ConsoleSettings(listen="0.0.0.0:8025"), "console.listen: off loopback, console.users"),
        (ConsoleSettings(listen="8025"), "console.listen: expected host:port"),
        (
            ConsoleSettings(listen="0.0.0.0:8025", users={"a": UserSettings(password=HASH)}),
            "console.certificate",
        ),
        (ConsoleSettings(users={"a": UserSettings(password="secret")}), "expected a hash"),
        (ConsoleSettings(users={"a": UserSettings()}), "console.users.a.password"),
        (ConsoleSettings(users={"a\n": UserSettings(password=HASH)}), "expected a name"),
        (ConsoleSettings(users_file="/nowhere"), "console.users_file: /nowhere"),
        (ConsoleSettings(proxy=ProxySettings()), "console.proxy.addresses"),
        (ConsoleSettings(proxy=ProxySettings(addresses=("x",))), "console.proxy.addresses"),
    ],
)
def test_settings_that_let_strangers_in_are_refused(settings: ConsoleSettings, words: str) -> None:
    from agents.console.access.checked import checked

    with pytest.raises(SettingsError, match=words.replace(".", r"\.")):
        checked(settings)


def test_off_loopback_with_users_and_tls_is_fine() -> None:
    from agents.console.access.checked import checked

    users = {"ada": UserSettings(role="admin", password=HASH)}
    settings = ConsoleSettings(listen="0.0.0.0:8025", users=users, certificate="/x.pem")
    assert not checked(settings).open


def test_a_line_of_the_file_that_says_nothing_is_named(tmp_path: Path) -> None:
    file = tmp_path / "users"
    file.write_text(f"ada admin {HASH}\nbert boss {HASH}\n")
    with pytest.raises(SettingsError, match="line 2: expected NAME, one of viewer"):
        People(ConsoleSettings(users_file=str(file)))


def test_a_hash_is_argon2id_and_salted() -> None:
    assert hashed("x").startswith("$argon2id$")
    assert hashed("x") != hashed("x")

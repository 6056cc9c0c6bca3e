"""The pages: what they show, that nothing of an attacker's is obeyed, and forms without scripts."""

import re
import time
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import quote

import pytest

from agents.console.access.people import ROLES
from agents.console.operations import Operation
from agents.console.pages.pages import _back
from agents.console.pages.table import FORMS, PAGES, Page
from agents.console.pages.words import ago, clock, shown, size
from schemas.findings import Evidence, Sample, Subject
from tests.console.harness import (
    NOBODY,
    PASSWORD,
    Answer,
    Browser,
    Place,
    configured,
    proxied,
    serving_place,
    token,
)
from tests.console.harness import (
    ROLES as NAMES,
)
from tests.console.told import ANNA, GUESSER, account, alert, client, decision, gateway
from tests.waiting import wait_for

EVIL = "\u202egpj<script>alert(1)</script>\"'><img src=x onerror=alert(2)>\x1b[2J@example.org"
HTML = {"Accept": "text/html"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
WRONG = ("/incidents?limit=x", "/incidents/none", "/nothing", "/rules?x=1")
LARGEST = 200_000  # bytes of a page


def page(browser: Browser, path: str, **headers: str) -> Answer:
    return browser.ask("GET", path, headers={**HTML, **headers})


class Tags(HTMLParser):
    """What a browser would make of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with serving_place(tmp_path_factory.mktemp("pages")) as found:
        found.tell(alert("a1"), decisions=(decision(GUESSER, alert="a1"),), gateways=gateway())
        yield found


@pytest.fixture(scope="module")
def browsers(shared: Place) -> dict[str, Browser]:
    known = {role: shared.browser(name) for role, name in NAMES.items()}
    return {**known, NOBODY: shared.browser(NOBODY)}


def path_of(one: Page) -> str:
    path = one.path.replace("{id}", "a1").replace("{name}", "auth_dictionary")
    more = {"subject": f"?value={GUESSER}", "backtest": "?setting=accounts&value=9"}
    return path + more.get(one.operation, "")


# -- who may see and do what ----------------------------------------------------------------------


@pytest.mark.parametrize("role", [NOBODY, *ROLES])
@pytest.mark.parametrize("one", PAGES, ids=lambda one: one.operation)
def test_every_page_asks_for_its_role(browsers: dict[str, Browser], one: Page, role: str) -> None:
    found = page(browsers[role], path_of(one))
    if role == NOBODY:
        assert found.status == 303
        assert found.headers["Location"].startswith("/login?back=")
    else:
        assert found.status == 200, found.text
        assert "default-src 'none'" in found.headers["Content-Security-Policy"]


@pytest.mark.parametrize("role", [NOBODY, *ROLES])
@pytest.mark.parametrize("one", FORMS, ids=lambda one: one.name)
def test_every_form_asks_for_its_role_and_its_token(
    browsers: dict[str, Browser], one: Operation, role: str
) -> None:
    path = f"/do/{one.name}"
    found = browsers[role].form(path, back="/blocks")
    if role == NOBODY:
        assert found.status == 401
    elif ROLES.index(role) < ROLES.index(one.role):  # type: ignore[arg-type]
        assert found.status == 403
    else:
        assert found.status == 303  # and says on the next page what was missing
        assert found.headers["Location"] == "/blocks"
        assert browsers[role].form(path, csrf="wrong").status == 403
        assert browsers[role].form(path, csrf="").status == 403
    headers = {
        "Origin": "https://evil.example",
        "Content-Type": "application/x-www-form-urlencoded",
    }
    data = f"csrf={browsers[role].csrf}".encode()
    assert browsers[role].ask("POST", path, data, headers).status in (401, 403)


def test_a_viewer_is_shown_no_buttons_that_would_be_refused(browsers: dict[str, Browser]) -> None:
    for one in PAGES:
        text = page(browsers["viewer"], path_of(one)).text
        assert "/do/" not in text, one.path
    assert "/do/panic" in page(browsers["analyst"], "/blocks").text


# -- what they show -------------------------------------------------------------------------------


@pytest.mark.parametrize("one", PAGES, ids=lambda one: one.operation)
def test_a_page_is_whole_and_runs_nothing_of_its_own(
    browsers: dict[str, Browser], one: Page
) -> None:
    tags = Tags(page(browsers["admin"], path_of(one)).text)
    names = [tag for tag, _ in tags.found]
    assert names.count("h1") == 1
    assert {"main", "header", "nav", "footer", "title"} <= set(names)
    for tag, attributes in tags.found:
        assert not [name for name in attributes if name.startswith("on") or name == "style"], tag
        assert tag != "style"
        if tag == "script":
            assert (attributes["src"] or "").startswith("/static/console.js?v=")
        if tag == "form" and attributes.get("method") == "post":
            assert "csrf" in [a.get("name") for _, a in tags.found]
    ids = [a["id"] for _, a in tags.found if "id" in a]
    assert len(ids) == len(set(ids)), "an id is there twice"
    tables = [a for tag, a in tags.found if tag == "table"]
    assert names.count("caption") == len(tables)


@pytest.mark.parametrize("one", PAGES, ids=lambda one: one.operation)
def test_the_part_that_changes_is_asked_for_alone(browsers: dict[str, Browser], one: Page) -> None:
    whole = page(browsers["admin"], path_of(one)).text
    part = page(browsers["admin"], path_of(one), **{"X-Part": "live"}).text
    assert "<html" not in part
    assert len(part) < len(whole)


def test_what_came_from_a_log_is_text_and_its_direction_stays_its_own(tmp_path: Path) -> None:
    with serving_place(tmp_path) as place:
        place.tell(
            account(
                "a1",
                EVIL,
                targets=[EVIL],
                summary=f"{EVIL} sends as its owner would not",
                decision=f"nothing: {EVIL}",
                checks=[EVIL],
                origins=[EVIL],
                evidence=[Evidence(EVIL, 5, 1, EVIL)],
                samples=[Sample(time.time(), f'{{"type":"auth","account":"{EVIL!r}"}}', EVIL)],
            ),
            decisions=(decision(EVIL, "lock", "account", reason=EVIL, enforced=False),),
            gateways=gateway(EVIL, troubles={"postfix": EVIL}, programs=[EVIL]),
        )
        letter = '{"reason": "r", "source": "s", "offset": 1, "line": "\\u202e<script>"}'
        (tmp_path / "dead.jsonl").write_text(letter + "\n")
        wait_for(lambda: place.follower.around.dead and place.follower.around.gateways, "all")
        browser = place.browser("ada")
        assert browser.order("/incidents/a1/note", text=EVIL).status == 200
        paths = ["/", "/incidents", "/incidents/a1", "/blocks", "/rules", "/health", "/trail"]
        paths.append(f"/subject?kind=account&value={quote(EVIL)}")
        for path in paths:
            found = page(browser, path)
            assert found.status == 200, (path, found.text)
            text = found.text
            assert "\u202e" not in re.sub(r'="[^"]*"', "", text), path  # in values of fields alone
            assert "\x1b" not in re.sub(r'="[^"]*"', "", text), path
            scripts = [a for tag, a in Tags(text).found if tag == "script"]
            assert len(scripts) == 1
            assert not [tag for tag, _ in Tags(text).found if tag == "img"], path
        assert r'<span class="esc">\u202e</span>' in page(browser, "/incidents/a1").text
        assert r"\u202e" in page(browser, "/health").text


def test_now_tells_its_news_and_the_kill_switch(place: Place) -> None:
    browser = place.browser("ada")
    assert "Nothing is open." in page(browser, "/").text
    place.tell(alert("a1", "critical"))
    text = Tags(page(browser, "/").text).text
    assert "1 open incident, the worst critical." in text
    assert browser.order("/panic", reason="x").status == 200
    assert "The kill switch is pulled: nothing is enforced." in page(browser, "/").text


def test_a_subject_that_nobody_can_be_is_a_page_as_well(browsers: dict[str, Browser]) -> None:
    found = page(browsers["viewer"], "/subject?value=x+y")
    assert found.status == 422
    assert "Unprocessable" in found.text
    assert "is no address, network or login" in found.text
    assert page(browsers["viewer"], "/subject").status == 200


@pytest.mark.parametrize(
    "path", ["/incidents?limit=x", "/incidents/none", "/nothing", "/rules?x=1"]
)
def test_a_wrong_address_is_a_page_that_says_so(browsers: dict[str, Browser], path: str) -> None:
    found = page(browsers["viewer"], path)
    if path.startswith("/rules"):
        assert found.status == 400
    assert found.status in (400, 404)
    assert "<h1>" in found.text


# -- forms, without scripts -----------------------------------------------------------------------


def test_one_logs_in_acts_undoes_and_logs_out_by_forms_alone(place: Place) -> None:
    place.tell(alert("a1"))
    browser = place.browser(NOBODY)
    found = page(browser, "/incidents/a1")
    assert found.headers["Location"] == "/login?back=/incidents/a1"
    assert "Log in" in page(browser, found.headers["Location"]).text
    wrong = browser.form("/login", name="ada", password="wrong", back="/incidents/a1")
    assert wrong.status == 401
    assert "name or password are wrong" in wrong.text
    found = browser.form("/login", name="ada", password=PASSWORD, back="/incidents/a1")
    assert (found.status, found.headers["Location"]) == (303, "/incidents/a1")
    browser.csrf = token(page(browser, "/incidents/a1").text)
    assert browser.form("/do/acknowledge", id="a1", back="/incidents/a1").status == 303
    text = Tags(page(browser, "/incidents/a1").text).text
    assert "a1 is acknowledged by ada" in text
    assert "a1 is acknowledged by ada" not in Tags(page(browser, "/incidents/a1").text).text
    found = browser.form(
        "/do/block",
        target=f"network:{GUESSER}",
        reason="it guesses",
        seconds="86400",
        back="/blocks",
    )
    assert found.headers["Location"] == "/blocks"
    text = page(browser, "/blocks").text
    assert f"drop {GUESSER} for 1 d" in text
    lift = re.search(r'formaction="/do/unblock" name="target" value="([^"]+)"', text)
    assert lift
    assert browser.form("/do/unblock", target=lift[1], reason="a slip").status == 303
    assert "None is like that." in page(browser, "/blocks").text
    assert browser.form("/logout").headers["Location"] == "/login"
    assert page(browser, "/").status == 303


def test_the_playbook_is_ticked_by_a_form(place: Place) -> None:
    place.tell(account("a1", ANNA))
    browser = place.browser("anton")
    text = page(browser, "/incidents/a1").text
    browser.csrf = token(text)
    assert "a new password, and not the old one again" in text
    found = browser.form("/do/tick", id="a1", task="password", account=ANNA, back="/incidents/a1")
    assert found.status == 303
    text = Tags(page(browser, "/incidents/a1").text).text
    assert "password is done" in text
    assert "Not done: password" in text
    assert "/do/tick" not in page(place.browser("vera"), "/incidents/a1").text


def test_what_cannot_be_done_is_told_on_the_page_one_came_from(place: Place) -> None:
    browser = place.browser("ada")
    found = browser.form("/do/block", target="10.0.0.1", reason="a slip", back="/blocks?text=10")
    assert found.headers["Location"] == "/blocks?text=10"
    text = Tags(page(browser, "/blocks").text).text
    assert "Not done: 10.0.0.1 is one of our own networks" in text
    browser.form("/do/block", target="192.0.2.1", reason="", back="/blocks")
    assert "Not done: " in page(browser, "/blocks").text


@pytest.mark.parametrize(
    ("place", "kept"),
    [
        ("/blocks?text=%20x&limit=5", "/blocks?text=%20x&limit=5"),
        ("/incidents/5f0c", "/incidents/5f0c"),
        ("https://evil.example/", "/"),
        ("//evil.example/", "/"),
        ("/\\evil.example/", "/"),
        ("/\t/evil.example", "/"),
        ("/x\r\nSet-Cookie: a=b", "/"),
        ("javascript:alert(1)", "/"),
        ("", "/"),
        ("/" + "x" * 5000, "/"),
    ],
)
def test_one_is_never_sent_to_another_site(place: str, kept: str) -> None:
    assert _back(place) == kept


def test_who_comes_by_a_link_from_elsewhere_need_not_log_in_again(place: Place) -> None:
    found = page(place.browser(NOBODY), "/incidents/a1", **{"Sec-Fetch-Site": "cross-site"})
    assert found.status == 200
    assert found.headers["Refresh"] == "0; url=/incidents/a1"


def test_behind_a_proxy_the_login_says_who_names_people(tmp_path: Path) -> None:
    with serving_place(tmp_path, configured(tmp_path, proxied())) as place:
        assert "named by the proxy" in page(place.browser(NOBODY), "/login").text


def test_files_are_kept_by_browsers_until_they_change(browsers: dict[str, Browser]) -> None:
    names = re.findall(r'"(/static/[^"]+)"', page(browsers["viewer"], "/").text)
    assert len(names) == 3
    for name in names:
        found = browsers[NOBODY].get(name)
        assert found.status == 200
        assert "immutable" in found.headers["Cache-Control"]
        assert found.headers["X-Content-Type-Options"] == "nosniff"
    assert browsers[NOBODY].get("/static/../render.py").status == 404
    assert browsers[NOBODY].get("/static/none.js").status == 404


# -- live -----------------------------------------------------------------------------------------


def test_streams_tell_that_something_changed(place: Place) -> None:
    import http.client

    browser = place.browser("vera")
    connection = http.client.HTTPConnection("127.0.0.1", place.port, timeout=60)
    cookie = "; ".join(f"{k}={v}" for k, v in browser.cookies.items())
    connection.request("GET", "/events", headers={"Cookie": cookie})
    reply = connection.getresponse()
    assert reply.headers["Content-Type"].startswith("text/event-stream")

    def until(word: bytes) -> None:
        while word not in reply.readline():
            pass

    until(b"event: change")
    place.tell(alert("a1"))
    until(b"event: change")
    connection.close()


# -- words ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("anna", "<bdi>anna</bdi>"),
        ("<b>", "<bdi>&lt;b&gt;</bdi>"),
        ("a\u202eb", r'<bdi>a<span class="esc">\u202e</span>b</bdi>'),
        ("\x00", r'<bdi><span class="esc">\x00</span></bdi>'),
        (
            "\u200b\u2066",
            r'<bdi><span class="esc">\u200b</span><span class="esc">\u2066</span></bdi>',
        ),
        ("\U000e0041", r'<bdi><span class="esc">\U000e0041</span></bdi>'),
        ("שלום", "<bdi>שלום</bdi>"),
        ("x" * 300, f"<bdi>{'x' * 200}…</bdi>"),
    ],
)
def test_strangers_texts_are_shown(text: str, html: str) -> None:
    assert shown(text) == html


def test_times_and_sizes_are_said_shortly() -> None:
    assert ">just now<" in ago(1000.0, 1002.0)
    assert ">49 min ago<" in ago(1000.0, 1000.0 + 49 * 60)
    assert ">3 d ago<" in ago(1000.0, 1000.0 + 3 * 86400)
    assert ">10 s ahead<" in ago(1010.0, 1000.0)
    assert ago(0.0, 1000.0) == "never"
    assert ">Jan 01 00:16:40<" in clock(1000.0)
    assert clock(-1.0) == clock(1e99) == "-"
    assert [size(x) for x in (5, 2048, 3.5e9)] == ["5 B", "2.05 kB", "3.5 GB"]


def test_pages_stay_small_whatever_there_is(tmp_path: Path) -> None:
    """10,000 alerts, 100,000 decisions, an incident of thousands."""
    with serving_place(tmp_path) as place:
        name = "x" * 90
        alerts = [
            client(
                f"a{n}",
                f"10.{n >> 8}.{n & 255}.7",
                incident="a0" if n < 5000 else f"a{n}",
                summary=f"{name} {n}",
                clients=[f"10.{n >> 8}.{n & 255}.7", *(f"192.0.2.{m}" for m in range(99))],
                clients_count=5000,
                targets=[f"{name}{m}@example.org" for m in range(100)] if n < 50 else [ANNA],
                evidence=[Evidence(f"sign {m}", 99, 10, "unit") for m in range(20)],
                samples=[
                    Sample(time.time(), f'{{"type":"auth","account":"{name * 4}"}}', name)
                    for _ in range(20)
                ]
                if n < 50
                else [],
            )
            for n in range(10_000)
        ]
        decisions = tuple(
            decision(
                f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}", reason=name * 3, alert=f"a{n % 5000}"
            )
            for n in range(100_000)
        )
        place.tell(*alerts, decisions=decisions)
        browser = place.browser("ada")
        paths = ["/", "/incidents?limit=200", "/incidents/a0", "/blocks?limit=200", "/rules"]
        paths += [
            "/health",
            "/trail?limit=200",
            "/subject?value=10.0.7.7",
            "/subject?value=10.0.0.0/16",
        ]
        sizes = {path: len(page(browser, path).body) for path in paths}
        assert all(count < LARGEST for count in sizes.values()), sizes
        assert browser.api("/blocks")["count"] == 100_000


def test_several_accounts_and_a_domain_are_subjects(place: Place) -> None:
    browser = place.browser("vera")
    place.tell(account("a1", ANNA), alert("a2", subject=Subject("domain", "example.net")))
    assert page(browser, f"/subject?value={ANNA}").status == 200
    assert page(browser, "/subject?kind=domain&value=example.net").status == 200

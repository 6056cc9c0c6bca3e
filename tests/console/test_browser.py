"""The console of a real `mailwarden run` in a real Chromium: an attack is followed live, blocked
and let go again, and a gateway is asked whether it did so. axe-core looks at each page."""

import shutil
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from axe_core_python.selenium import Axe
from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

from agents.console.pages.table import PAGES
from tests.console.harness import (
    HASH,
    PASSWORD,
    Browser,
    Place,
    configured,
    open_to_all,
    serving_place,
)
from tests.console.test_command import Site
from tests.console.told import ANNA, GUESSER, account, alert, decision, gateway
from tests.waiting import wait_for
from tools.kafka import free_ports

pytestmark = [pytest.mark.servers, pytest.mark.xdist_group("chromium")]

GUESSING = "203.0.113.5"
NEIGHBOUR = "203.0.113.99"
RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice")


class Window:
    """A browser with a person in front of it."""

    def __init__(self, driver: webdriver.Chrome, port: int) -> None:
        self.driver = driver
        self.home = f"http://127.0.0.1:{port}"

    def go(self, path: str) -> None:
        self.driver.get(self.home + path)

    def text(self) -> str:
        """What is to be read, once it stands still."""
        try:
            return self.driver.find_element(By.TAG_NAME, "body").text
        except StaleElementReferenceException:
            return ""

    def sees(self, words: str) -> None:
        wait_for(lambda: words in self.text(), f"{words!r}")

    def button(self, words: str) -> WebElement:
        def found() -> WebElement | None:
            for one in self.driver.find_elements(By.TAG_NAME, "button"):
                if one.text.startswith(words):
                    return one
            return None

        return wait_for(found, f"the button {words!r}")

    def click(self, element: WebElement) -> None:
        """Click, and wait for the page that comes of it."""
        before = self.driver.find_element(By.TAG_NAME, "html")
        element.click()

        def gone() -> bool:
            try:
                before.is_enabled()
            except StaleElementReferenceException:
                return True
            return False

        wait_for(gone, "another page")

    def follow(self, words: str) -> None:
        self.click(self.driver.find_element(By.PARTIAL_LINK_TEXT, words))

    def fill(self, name: str, words: str) -> None:
        field = self.driver.find_element(By.ID, name)
        field.clear()
        field.send_keys(words)

    def media(self, **features: str) -> None:
        named = [{"name": k.replace("_", "-"), "value": v} for k, v in features.items()]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": named})

    def width(self, pixels: int) -> None:
        size = {"width": pixels, "height": 900, "deviceScaleFactor": 1, "mobile": pixels < 500}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)

    def barriers(self) -> list[str]:
        """What keeps people out, as axe-core sees it."""
        options = {"runOnly": {"type": "tag", "values": list(RULES)}}
        found: Any = Axe().run(self.driver, options=options)
        return [
            f"{one['id']}: {node['html'][:200]} {node['failureSummary'][:300]}"
            for one in found["violations"]
            for node in one["nodes"]
        ]

    def complaints(self) -> list[str]:
        """What the browser refused or could not do."""
        return [entry["message"] for entry in self.driver.get_log("browser")]


@contextmanager
def chromium(port: int, *, scripts: bool = True) -> Iterator[Window]:
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or "chromium"
    for word in ("headless=new", "no-sandbox", "disable-gpu", "window-size=1280,1000"):
        options.add_argument(f"--{word}")
    if not scripts:
        setting = "profile.managed_default_content_settings.javascript"
        options.add_experimental_option("prefs", {setting: 2})
    driver_path = shutil.which("chromedriver") or "chromedriver"
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver_path))
    try:
        yield Window(driver, port)
    finally:
        driver.quit()


def feed(port: int) -> Callable[[], str]:
    def fetched() -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/feeds/ip.txt") as answer:
            return str(answer.read().decode())

    return fetched


def test_an_attack_is_followed_live_blocked_and_let_go(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    users = f'[console.users.anton]\nrole = "analyst"\npassword = "{HASH}"\n'
    site = Site(tmp_path, f'{users}[gateways.feeds]\nlisten = "127.0.0.1:{port}"\n')
    listed = feed(port)
    with site.running("run", str(site.log)), chromium(site.port) as window:
        browser = Browser(site.port)
        wait_for(lambda: answers(browser), "the console")
        window.go("/")
        window.fill("name", "anton")
        window.fill("password", PASSWORD)
        window.click(window.button("Log in"))
        window.sees("Nothing is open.")

        site.attack(GUESSING)  # the page is not loaded again
        window.sees("1 open incident, the worst")
        window.follow(GUESSING)
        window.sees("30 wrong passwords at 30 accounts")
        site.attack(NEIGHBOUR)
        window.sees(f"{GUESSING} and {NEIGHBOUR} guessed")

        assert GUESSING not in listed()
        window.click(window.button(f"Block {GUESSING}"))
        window.sees(f"drop {GUESSING} for 1 d")
        wait_for(lambda: GUESSING in listed(), "the gateway")
        assert NEIGHBOUR not in listed()

        window.click(window.button(f"Lift drop of {GUESSING}"))
        window.sees(f"drop of {GUESSING} removed")
        wait_for(lambda: GUESSING not in listed(), "the gateway")

        window.click(window.button("Acknowledge"))
        window.sees("acknowledged")
        window.follow("Trail")
        window.sees("acknowledged")
        assert {"added", "removed", "anton"} <= set(window.text().split())
        assert window.complaints() == []


def answers(browser: Browser) -> bool:
    try:
        return browser.get("/api/v1/now").status == 401
    except OSError:
        return False


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("browser")
    with serving_place(folder, configured(folder, open_to_all())) as found:
        evil = "\u202egpj<script>document.title='owned'</script>@example.org"
        found.tell(
            alert("a1"),
            account("a2", evil, severity="critical"),
            account("a3", ANNA, severity="medium", ago=9000),
            decisions=(
                decision(GUESSER, alert="a1"),
                decision(ANNA, "lock", "account", enforced=False),
                decision("192.0.2.0/24", "reject", origin="pardon", id="p"),
            ),
            gateways=gateway(troubles={"postfix": "the disk is full"}),
        )
        yield found


@pytest.fixture(scope="module")
def window(place: Place) -> Iterator[Window]:
    with chromium(place.port) as found:
        yield found


def path_of(path: str) -> str:
    more = {"/subject": "?value=203.0.113.7", "/rules/{name}/backtest": "?setting=accounts&value=9"}
    named = path.replace("{id}", "a1").replace("{name}", "auth_dictionary")
    return named + more.get(path, "")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", [*(page.path for page in PAGES), "/incidents/a3", "/nothing"])
def test_nobody_is_kept_out(window: Window, path: str, scheme: str) -> None:
    window.media(prefers_color_scheme=scheme)
    window.width(1280)
    window.go(path_of(path))
    for details in window.driver.find_elements(By.TAG_NAME, "summary"):
        details.click()
    assert window.barriers() == []
    window.width(400)
    assert window.barriers() == []
    wide = "return document.documentElement.scrollWidth"
    assert window.driver.execute_script(wide) <= 400
    refused = [] if path == "/nothing" else window.complaints()
    assert refused == []
    assert window.driver.title.endswith("Mailwarden")


def test_a_barrier_would_be_seen(window: Window) -> None:
    window.media(prefers_color_scheme="light")
    window.go("/")
    pale = "document.querySelector('h1').style.color = '#ddd'"
    window.driver.execute_script(pale)
    assert [one for one in window.barriers() if one.startswith("color-contrast")]


def test_the_login_keeps_nobody_out_by_mistake(tmp_path: Path) -> None:
    with serving_place(tmp_path) as place, chromium(place.port) as window:
        for scheme in ("light", "dark"):
            window.media(prefers_color_scheme=scheme)
            window.go("/")
            assert window.barriers() == []
        window.fill("name", "ada")
        window.fill("password", "wrong")
        window.click(window.button("Log in"))
        window.sees("name or password are wrong")
        assert window.barriers() == []


def test_words_that_somebody_writes_are_not_taken_away(window: Window, place: Place) -> None:
    window.width(1280)
    window.go("/incidents/a3")
    window.fill("note-text", "called her")
    place.tell(account("a3", ANNA, severity="high", revision=2))
    window.driver.execute_script("document.activeElement.blur()")
    field = window.driver.find_element(By.ID, "note-text")
    assert field.get_attribute("value") == "called her"
    field.clear()
    window.driver.execute_script("document.activeElement.blur()")
    window.sees("rose to high")


def test_the_arrow_keys_go_through_a_list(window: Window) -> None:
    window.width(1280)
    window.go("/incidents")
    links = window.driver.find_elements(By.CSS_SELECTOR, ".rows tbody th a")
    wanted = [link.get_attribute("href") for link in links]
    window.driver.execute_script("arguments[0].focus()", links[0])
    for href in (wanted[1], wanted[2]):
        window.driver.switch_to.active_element.send_keys(Keys.ARROW_DOWN)
        assert window.driver.switch_to.active_element.get_attribute("href") == href
    window.driver.switch_to.active_element.send_keys(Keys.ARROW_UP)
    assert window.driver.switch_to.active_element.get_attribute("href") == wanted[1]


def test_one_works_without_scripts(tmp_path: Path) -> None:
    with serving_place(tmp_path) as place, chromium(place.port, scripts=False) as window:
        place.tell(alert("a1"))
        window.go("/incidents/a1")
        window.fill("name", "anton")
        window.fill("password", PASSWORD)
        window.click(window.button("Log in"))
        window.sees("15 wrong passwords")
        window.click(window.button("Acknowledge"))
        window.sees("a1 is acknowledged by anton")
        window.click(window.button(f"Block {GUESSER}"))
        window.sees(f"drop {GUESSER} for 1 d")

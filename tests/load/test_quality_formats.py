"""The table of formats: what another format finds less is told, and why it is wrong."""

from rich.console import Console

from load.judgement import Judgement, Row
from load.quality_formats import Result, tables
from load.scenarios.organisation import Form


def result(server: str, found: int, hits: dict[str, int]) -> Result:
    row = Row("spray", "easy", "a spray", clients=10, found=found, missed=["192.0.2.7"])
    one = Judgement("office-51", 1000, [row], hits=hits)
    one.hit = [f"{story}: 192.0.2.9: relay_probe/asked" for story in hits]
    return Result(Form(server), [one], 3)


def shown(*results: Result) -> str:
    console = Console(width=200)
    with console.capture() as capture:
        console.print(*tables(results), sep="\n")
    return capture.get()


def test_what_a_format_finds_less_is_told() -> None:
    text = shown(result("postfix", 10, {}), result("haraka", 4, {"a phone: old": 1}))
    assert "10 to 4" in text
    assert "10/10 100.0%" in text
    assert "4/10  40.0%" in text
    assert "relay_probe/asked" in text


def test_what_is_found_alike_is_not() -> None:
    text = shown(result("postfix", 10, {}), result("exim", 10, {}))
    assert "10 to" not in text

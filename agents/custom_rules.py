"""Custom log formats before they are used: are they safe, and do their cases hold?"""

import re
import time

from schemas.settings import CustomSettings
from streams.parsers.custom import Rule, make
from streams.parsers.part import Format, Record
from streams.secrets import mask

SHORT = 0.02  # seconds for a line of tens of characters: what is exponential shows there
SLOW = 0.25  # for one of thousands
PLACES = 16  # in a case
RUNS = (*range(8, 32, 2), 64, 256, 1024, 4096)  # characters


def build(name: str, settings: CustomSettings) -> Format:
    """The format of a section. Raises ValueError for a rule that cannot be used, or that a
    stranger could keep at work by what he writes."""
    pattern = Rule(settings).pattern
    for text in [case.text for case in settings.cases] or [""]:
        _try(pattern, text)
    return make(name, settings)


def _try(pattern: "re.Pattern[str]", text: str) -> None:
    """Lines as a stranger would write them: a case with a long run of one character before one of
    its words, and a tail that no pattern expects."""
    places = [0, *(found.end() for found in re.finditer(r"[^\w]", text))][:PLACES]
    for character in sorted({*text, "a", " ", ":", "<", "1", "."}):
        for place in places:
            for length in RUNS:
                hostile = text[:place] + length * character + text[place:] + "\x00!"
                began = time.process_time()
                pattern.fullmatch(hostile)
                if time.process_time() - began > (SHORT if length < 32 else SLOW):
                    raise ValueError(
                        f"pattern: a run of {length} {character!r} keeps it at work too long; use"
                        " narrow classes such as [^ ]{1,99}, and no repetition within a repetition"
                    )


def failing(name: str, settings: CustomSettings) -> list[str]:
    """What does not come out as the cases say."""
    parse = make(name, settings).parser(mask(), (settings.programs or ("",))[0])
    wrong = []
    for case in settings.cases:
        try:
            items = parse(Record(0.0, "", "", "", case.text)) if parse else None
        except ValueError as error:
            wrong.append(f"{case.text!r}: {error}")
            continue
        if not items:
            if case.event:
                wrong.append(f"{case.text!r}: no event")
            continue
        if not case.event:
            wrong.append(f"{case.text!r}: an event, and there should be none")
        for key, value in case.event.items():
            found = getattr(items[0], key, None)
            if found != value:
                wrong.append(f"{case.text!r}: {key} is {found!r}, not {value!r}")
    return wrong

"""The templates. All is escaped unless it is Markup; a name that is not given is an error."""

import hashlib
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from agents.console.pages.charts import bars, measure
from agents.console.pages.words import FILTERS
from agents.incidents.playbook import MEANINGS
from agents.words import many, printable
from schemas.findings import SEVERITIES
from streams.rendering.words import runbook

HERE = Path(__file__).parent
STATIC = {
    "console.css": "text/css",
    "console.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}


class Templates:
    """Loaded once."""

    def __init__(self) -> None:
        self._files = {name: (HERE / "static" / name).read_bytes() for name in STATIC}
        environment = Environment(
            loader=FileSystemLoader(HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        environment.filters |= FILTERS
        environment.globals |= {
            "bars": bars,
            "measure": measure,
            "many": many,
            "meanings": MEANINGS,
            "runbook": runbook,
            "plain": printable,
            "severities": tuple(reversed(SEVERITIES)),
            "static": {name: f"/static/{name}?v={self._mark(name)}" for name in STATIC},
        }
        self._environment = environment

    def page(self, name: str, **given: Any) -> str:
        """A whole page, or with the name of a part, that part."""
        return self._environment.get_template(f"{name}.html").render(**given)

    def static(self, name: str) -> tuple[bytes, str]:
        """A file and its type. Raises KeyError."""
        return self._files[name], STATIC[name]

    def _mark(self, name: str) -> str:
        return hashlib.sha256(self._files[name]).hexdigest()[:12]

"""Logs of a running program: for eyes on a terminal, one JSON object a line elsewhere."""

import logging
import sys
from typing import Any

import msgspec

from streams.said import Said


class Json(logging.Formatter):
    """``at level logger message``, and what a caller gave as ``said("event", ...)`` or
    ``extra={"fields": {...}}``."""

    def format(self, record: logging.LogRecord) -> str:
        said: dict[str, Any] = {
            "at": round(record.created, 3),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if isinstance(record.msg, Said):
            said["message"] = record.msg.event
            said |= record.msg.fields
        said |= getattr(record, "fields", {})
        if record.exc_info:
            said["exception"] = self.formatException(record.exc_info)
        return msgspec.json.encode(said).decode()


def configure() -> None:
    """Log to standard error."""
    handler = logging.StreamHandler()
    if sys.stderr.isatty():
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s", "%H:%M:%S"))
    else:
        handler.setFormatter(Json())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.getLogger("aiohttp").setLevel(logging.WARNING)

"""``DKIM: d=example.net s=… [verification succeeded]``: what src/pdkim found, one line for each
signature, before the line of the message's arrival."""

from schemas.events import Verdict
from streams.parsers.part import Items, Part, Record
from streams.parsers.results import SCORES

PATIENCE = 10.0  # seconds until the message has arrived

_WORDS = (
    ("verification succeeded", "pass"),
    ("verification failed", "fail"),
    ("invalid", "permerror"),
)


def read(record: Record, queue_id: str, text: str) -> Items:
    said = text.rpartition(" [")[2]
    word = next((word for begin, word in _WORDS if said.startswith(begin)), "")
    if not word:
        return ()
    values = {"kind": "dkim", "scale": word, "score": SCORES[word], "queue_id": queue_id}
    return (
        Part(
            record.at,
            record.host,
            "queue",
            queue_id,
            None,
            record.offset,
            Verdict,
            values,
            needs="origin",
            wait=PATIENCE,
        ),
    )

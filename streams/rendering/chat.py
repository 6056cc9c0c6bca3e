"""Alerts as a message of a chat or a pager: a title, and a few lines that say what to do.

What an attacker wrote calls nobody and links nowhere: no mention is left whole (``@here``,
``<!channel>``, ``<at>``), nor is an address of the web, nor a link of Markdown.
"""

import re

from schemas.findings import Alert
from streams.rendering import mail, words

MENTION = re.compile(
    r"(?<![A-Za-z0-9._%+-])@(?=\w)|@(?=(?:everyone|here|channel|all)\b)", re.IGNORECASE
)
APART = "\u200b"  # a space without width: nobody sees it, and no chat reads over it
FORBIDDEN = str.maketrans({"<": "‹", ">": "›"})


def title(alert: Alert) -> str:
    return harmless(mail.subject(alert))


def text(alert: Alert) -> str:
    rows = {
        "seen": f"{words.stamp(alert.first)} to {words.stamp(alert.last)}",
        "evidence": words.evidence(alert),
        "accounts": words.listed(alert.accounts[:5], alert.accounts_count),
        "decided": words.plain(alert.decision, 300),
        "undo": words.plain(alert.undo, 300),
        "incident": f"mailwarden incidents show {alert.incident}" if alert.incident else "",
        "more": f"mailwarden alerts show {alert.id}",
    }
    lines = [words.plain(alert.summary, 500)]
    lines += [f"{name}: {value}" for name, value in rows.items() if value]
    return "\n".join(map(harmless, lines))


def harmless(text: str) -> str:
    """Text that no chat takes for a mention or a link of its own."""
    quiet = MENTION.sub(f"@{APART}", text.translate(FORBIDDEN))
    return quiet.replace("://", "[:]//").replace("](", "] (")

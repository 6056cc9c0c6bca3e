"""cidr_table(5) for Postfix's check_client_access, with the actions of access(5)."""

from collections.abc import Iterator, Sequence

from streams.gateways.feeds.item import Item
from streams.targets import reference

REPLIES = {
    "drop": "521 5.7.1 Refused",  # and hangs up
    "reject": "REJECT 5.7.1 Refused",
    "hold": "HOLD",
    "greylist": "DEFER_IF_PERMIT 4.7.1 Try again later",
    "tarpit": "DEFER_IF_PERMIT 4.7.1 Try again later",
}


def postfix(items: Sequence[Item]) -> Iterator[str]:
    for item in items:
        reply = REPLIES.get(item.decision.action)
        if reply:
            yield f"{item.value} {reply} [{reference(item.decision)}]\n"

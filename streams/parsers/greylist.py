"""Greylisting: postgrey, milter-greylist, sqlgrey, gross.

Sources: postgrey's script (1.3x, 1.4x: ``action=``), milter-greylist's milter-greylist.c and
acl.c (4.x), sqlgrey's script. Only a delay is a verdict: who comes back says nothing, and the
mail server tells of the refused recipient itself. The address stands before all that strangers
choose; the reverse name has neither brackets nor commas.
"""

import re

from schemas import net
from streams.parsers import fields
from streams.parsers.part import Format, Items, Mask, Parse, Record
from streams.parsers.verdicts import verdict

_POSTGREY = re.compile(
    r"(?:(?P<qid>[0-9A-Za-z]{6,20}): )?action=greylist, reason=[^,=]{1,60}, "
    r"(?:delay=\d{1,10}, )?(?:client_name=[^,]{0,255}, )?"
    r"client_address=(?P<ip>[0-9A-Fa-f.:]{2,45})(?:/\d{1,3})?(?:, sender=(?P<sender>[^,]{0,320}))?"
)
_MILTER = re.compile(
    r"(?:(?P<qid>[0-9A-Za-z]{6,20}|\(local\)): )?addr (?:[^\s\[\]]{0,255} ?\[)?"
    r"(?P<ip>[0-9A-Fa-f.:]{2,45})\]? from (?P<sender>\S{0,320}) (?:rcpt|to) (?P<rcpt>[^ ]{0,330}) "
    r"delayed for "
)
_SQLGREY = re.compile(
    r"grey: (?:new|early reconnect|throttling): [0-9A-Fa-f.:]{2,45}\((?P<ip>[0-9A-Fa-f.:]{2,45})\),"
    r" (?P<sender>\S{0,320}) -> "
)


def _delayed(record: Record, found: re.Match[str] | None) -> Items:
    if found is None:
        return ()
    queue_id = (found.groupdict().get("qid") or "").replace("(local)", "")
    return verdict(
        record,
        "grey",
        queue_id,
        client=net.address(found["ip"]),
        sender=fields.mailbox(found["sender"] or ""),
    )


def _postgrey(record: Record) -> Items:
    return _delayed(record, _POSTGREY.match(record.text))


def _milter(record: Record) -> Items:
    return _delayed(record, _MILTER.match(record.text))


def _sqlgrey(record: Record) -> Items:
    return _delayed(record, _SQLGREY.match(record.text))


READERS: dict[str, Parse] = {
    "postgrey": _postgrey,
    "postfix/postgrey": _postgrey,
    "milter-greylist": _milter,
    "sqlgrey": _sqlgrey,
}


def parser(mask: Mask, program: str) -> Parse | None:
    """The parser of a tag; see `Format`."""
    return READERS.get(program)


FORMAT = Format("greylist", parser)

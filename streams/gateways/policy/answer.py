"""What is answered to a request, given the decision that rules it. No IO, no clock.

=========  ================================================================================
reject     ``REJECT``; a login is told that it may not send now (525 5.7.13, RFC 5248)
drop       the same, and the server hangs up (521); where a mailbox or a domain is meant, not:
           others of the session have nothing to do with it
lock       as reject, for logins; kick as well
tarpit     ``sleep``, before DATA, one in twenty of the processes at most
greylist   ``DEFER_IF_PERMIT`` at RCPT until the sender has waited; programs of people, who have
           no queue, are passed over
limit      ``450`` where a login has had its recipients for the hour
hold       ``HOLD``, once for a message
stamp      ``PREPEND`` of a header, once for a message
=========  ================================================================================

Everything else, and whatever is asked at VRFY or ETRN, is answered ``DUNNO``: the server goes on
as if it had not asked. Never ``OK``, which would let pass what stands behind us in its list.

Postfix logs what it refuses because of us, and our parser reads it. Nothing of that may be
evidence against those whom we refuse: so a limit is not worded as the server's own.
"""

import re
from collections.abc import Callable
from typing import Final

from msgspec import Struct

from schemas import net
from schemas.findings import Action, Decision
from streams.gateways.policy.greylist import Greylist
from streams.gateways.policy.limits import Limits
from streams.gateways.policy.protocol import Request
from streams.tarpits import LONGEST, Tarpits

# XCLIENT: a front end has told who the client is, and smtpd begins anew as at CONNECT
BEFORE_DATA: Final = frozenset({"CONNECT", "XCLIENT", "EHLO", "HELO", "MAIL", "RCPT"})
STATES: Final = BEFORE_DATA | {"DATA", "END-OF-MESSAGE"}
OF_MESSAGE: Final = frozenset({"RCPT", "DATA", "END-OF-MESSAGE"})
COUNTED: Final = frozenset({"DATA", "END-OF-MESSAGE"})  # the number of recipients is known
LOGINS: Final = frozenset({"account", "client_account"})

SHARE: Final = 20  # one in so many processes may sleep: 5 %
HEADER = "Mailwarden-Decision"  # RFC 6648: no X-

_HARMFUL = re.compile(r"[^A-Za-z0-9:./@_-]")


class Answer(Struct, frozen=True):
    kind: str  # what was done, in few words: a label of the metrics
    action: str = "DUNNO"  # access(5)


NEUTRAL: Final = Answer("neutral")
AWAKE: Final = Answer("awake")  # a tarpit that is full


class Mail(Struct):
    """What was done about a message before: that of an instance, which all requests about it
    name."""

    instance: str = ""
    marked: bool = False  # held or stamped
    counted: int = 0  # recipients
    reported: bool = False


class Answerer:
    """Remembers who waits, sleeps and has sent how much. One thread. The numbers are settings
    (settings.py)."""

    def __init__(self, *, tarpit: int, processes: int, greylist: float, limit: int) -> None:
        self._seconds = min(tarpit, LONGEST)
        asleep = processes // SHARE if self._seconds > 0 else 0
        self._tarpits = Tarpits(asleep, self._seconds)
        self._greylist = Greylist(greylist)
        self._limits = Limits(limit)
        self._ways: dict[Action, Callable[[Request, Decision, Mail, float], Answer]] = {
            "reject": self._refuse,
            "drop": self._refuse,
            "kick": self._refuse,
            "lock": self._refuse,
            "tarpit": self._tarpit,
            "greylist": self._defer,
            "limit": self._limit,
            "hold": self._mark,
            "stamp": self._mark,
        }

    def answer(self, request: Request, decision: Decision | None, mail: Mail, now: float) -> Answer:
        """`mail` is changed here. `now` only grows."""
        if decision is None or request.state not in STATES:
            return NEUTRAL
        way = self._ways.get(decision.action)
        return way(request, decision, mail, now) if way else NEUTRAL

    def _refuse(self, request: Request, decision: Decision, _: Mail, now: float) -> Answer:
        kind, action = decision.target.kind, decision.action
        said = reference(decision)
        if kind in LOGINS:
            code = "521" if action == "drop" else "525"
            return Answer(action, f"{code} 5.7.13 This account may not send mail now {said}")
        if action in ("kick", "lock"):
            return NEUTRAL
        if kind != "network":
            return Answer(action, f"REJECT 5.7.1 Mail to or from this {kind} is refused {said}")
        word = "521" if action == "drop" else "REJECT"
        return Answer(action, f"{word} 5.7.1 Refused {said}")

    def _tarpit(self, request: Request, decision: Decision, _: Mail, now: float) -> Answer:
        if request.state not in BEFORE_DATA or not request.client:
            return NEUTRAL
        if not self._tarpits.enter(net.network(request.client), now):
            return AWAKE
        return Answer("tarpit", f"sleep {self._seconds}")

    def _defer(self, request: Request, decision: Decision, _: Mail, now: float) -> Answer:
        if request.state != "RCPT" or request.submission:
            return NEUTRAL
        network = net.network(request.client) if request.client else ""
        if self._greylist.passes(network, request.sender, request.recipient, now):
            return NEUTRAL
        said = reference(decision)
        return Answer("greylist", f"DEFER_IF_PERMIT 4.7.1 Greylisted, try again later {said}")

    def _limit(self, request: Request, decision: Decision, mail: Mail, now: float) -> Answer:
        """Counted where the number of recipients is known; before that nothing is begun that
        could not end well."""
        account = request.account
        if decision.target.kind not in LOGINS or request.state not in OF_MESSAGE:
            return NEUTRAL
        left = self._limits.left(account, now)
        more = max(0, request.recipients - mail.counted)
        if request.state in COUNTED:
            if more <= left:
                self._limits.count(account, more, now)
                mail.counted += more
                return NEUTRAL
        elif left > more:
            return NEUTRAL
        said = reference(decision)
        return Answer("limit", f"450 4.7.1 This account has sent enough for now {said}")

    def _mark(self, request: Request, decision: Decision, mail: Mail, now: float) -> Answer:
        if request.state not in OF_MESSAGE or mail.marked:
            return NEUTRAL
        said = reference(decision)
        if decision.action == "hold":
            action = f"HOLD {said}"
        elif request.state != "END-OF-MESSAGE":  # Postfix adds no header that late
            action = f"PREPEND {HEADER}: {said}"
        else:
            return NEUTRAL
        mail.marked = True
        return Answer(decision.action, action)


def reference(decision: Decision) -> str:
    """What a stranger is told of a decision: the alert behind it, by which `mailwarden explain`
    finds it, else its own id. Not the reason: it may name other people's logins."""
    return f"[{_HARMFUL.sub('_', decision.alert or decision.id)[:120]}]"

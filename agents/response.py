"""Finding -> alert, and a decision or none: ladder of durations, collateral, budget. No IO.

A decision is asked for by the detector (`Finding.wish`) and made here, or not, in this order:

1. what speaks against it altogether: nobody is accused, the detector's own doubt, too old;
2. whom it would hit: networks that are allowed (by all domains that it concerns, if not for
   everybody), our own or trusted, or wider than may be; and how hard these domains permit;
3. what it would cost: a shared network, or accounts with good evidence behind the target,
   narrow it (tarpit; client and account) or leave the alert alone;
4. whether one is in force already: then nothing is renewed, but a more severe action, or
   enforcement that was switched on since, replaces it;
5. the budget of new decisions a minute.

The first decision holds for ten minutes, and each return doubles that up to a week; each quiet
week takes one step back. Whatever the outcome, the alert says it in words.
"""

import shlex
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import cast

from msgspec import structs

from agents.policies import Policies, fitting, named
from agents.record import Sentence
from agents.words import span
from schemas import net
from schemas.findings import ACTIONS, Action, Alert, Decision, Finding, Target, decision_id
from schemas.net import Networks
from schemas.settings import ResponseSettings
from streams.blocklist import ALWAYS

MINUTE = 60.0
HOUR = 3600.0
WEEK = 7 * 86400.0
APPROVERS = 2  # who must approve of an action that waits for approval
TOP = 64.0  # steps of the ladder; far beyond a week
INCIDENTS = 64  # in a minute
SENTENCES = 16  # targets that a subject's record remembers decisions for
WORDLESS: tuple[Action, ...] = ("observe", "notify")  # an alert is all there is to them

RANK = {action: rank for rank, action in enumerate(ACTIONS)}


def _unknown(clients: Iterable[str]) -> list[str]:
    return []


class Response:
    """One writer per decision: `sentences` is kept in the record of the finding's subject.

    `allowed`, `own` and `trusted` networks are never decided against, `shared` ones are slowed
    at most; `domains` are ours, `policies` what each has of its own; `origins` says where clients
    come from; `share` is this response's part of the budget.
    """

    def __init__(
        self,
        settings: ResponseSettings,
        allowed: Networks,
        own: Networks,
        *,
        trusted: Networks | None = None,
        shared: Networks | None = None,
        domains: frozenset[str] = frozenset(),
        policies: Policies | None = None,
        origins: Callable[[Iterable[str]], list[str]] = _unknown,
        share: float = 1.0,
    ) -> None:
        self._settings = settings
        self._spared = (
            (allowed, "on the allow list"),
            (own, "one of our own networks"),
            (trusted or Networks(), "a trusted relay"),
        )
        self._shared = shared or Networks()
        self._domains = domains
        self._policies = policies or Policies()
        self._origins = origins
        self._share = share
        self._minute = -1
        self._spent: dict[str, int] = {}  # in this minute, by incident; "" is everything else

    def answer(
        self, finding: Finding, sentences: dict[str, Sentence], now: float
    ) -> tuple[Alert, Decision | None]:
        """The alert of a finding, and what is newly decided about its target, if anything.

        `now` is the time by which leases run: event time in a replay. `sentences` remembers,
        by target, how often and until when something was decided; it is changed here.
        """
        if self._policies:
            stage = self._policies.stage(finding.stage, self._ruling(finding))
            finding = structs.replace(finding, stage=stage)
        if finding.state == "withdrawn":
            return self._lift(finding, sentences, now)
        decision: Decision | None = None
        target = finding.wish.target if finding.wish else None
        rest = HOUR
        try:
            target, action = self._narrowed(finding, now)
            decision, word = self._decide(finding, target, action, sentences, now)
        except RefusedError as refused:
            word = _refusal(refused, target, sentences, now)
            rest = refused.seconds
        _rest(sentences, now, rest)
        in_force = target is not None and _is_in_force(sentences.get(_text(target)), now)
        return self._alert(finding, word, _undo(target) if target and in_force else ""), decision

    def _lift(
        self, finding: Finding, sentences: dict[str, Sentence], now: float
    ) -> tuple[Alert, Decision | None]:
        """The alert of a finding that is withdrawn, and the end of what was decided for it. Where
        something else stands against the subject, that goes on."""
        for text, sentence in sentences.items():
            if sentence.alert != finding.id or not _is_in_force(sentence, now):
                continue
            if not finding.alone:
                return self._alert(finding, "what holds goes on: other findings stand", ""), None
            kind, _, value = text.partition(":")
            target, action = Target(kind, value), cast(Action, sentence.action)  # type: ignore[arg-type]
            sentence.action, sentence.until, sentence.alert = "", now, ""
            sentence.level = max(0.0, sentence.level - 1)
            sentence.generation += 1
            lifted = Decision(
                id=decision_id(target, action),
                target=target,
                action=action,
                reason=finding.summary,
                alert=finding.id,
                since=now,
                until=now,
                generation=sentence.generation,
                enforced=sentence.enforced,
            )
            return self._alert(finding, f"{action} {value} lifted", ""), lifted
        return self._alert(finding, "nothing: it is withdrawn", ""), None

    # -- whom and how -----------------------------------------------------------------------

    def _narrowed(self, finding: Finding, now: float) -> tuple[Target, Action]:
        """The target and action that remain of the wish. Raises RefusedError."""
        wish = finding.wish
        if finding.severity == "info":
            raise RefusedError("it accuses nobody")
        if wish is None or wish.action in WORDLESS:
            raise RefusedError("the finding is for people to judge")
        if wish.against:
            raise RefusedError(wish.against)
        age = now - finding.last
        if age > self._settings.freshness:
            raise RefusedError(f"its newest event is {span(age)} old")
        target, action = wish.target, wish.action
        if target.kind == "domain" and target.value in self._domains:
            raise RefusedError(f"{target.value} is a domain of ours")
        name, _, domain = target.value.rpartition("@")
        if target.kind == "address" and name in ALWAYS and domain in self._domains:
            raise RefusedError(f"{target.value} must take mail")
        domains = self._ruling(finding)
        if target.kind in ("network", "client_account"):
            client = target.value.partition(" ")[0]
            asked = self._spare(client)
            if self._policies.sparing(client, domains):
                raise RefusedError(f"{client} is on the allow list of {named(domains)}")
            if target.kind == "network" and self._shared.overlapping(client):
                action = min(action, "tarpit", key=RANK.__getitem__)
            target = self._around(target, asked, finding)
        severest = self._policies.severest(domains)
        permitted = fitting(action, severest, target.kind)
        if permitted is None or permitted in WORDLESS:
            raise RefusedError(f"{named(domains)} permits no more than {severest}")
        return target, permitted

    def _spare(self, client: str) -> net.Network:
        """The network of a target. Raises RefusedError where it must not be decided against."""
        try:
            asked = net.parse_network(client)
        except ValueError as error:
            raise RefusedError(f"{client!r} is no network") from error
        for networks, what in self._spared:
            if client in networks:
                raise RefusedError(f"{client} is {what}")
            if networks.overlapping(client):
                raise RefusedError(f"{client} holds an address that is {what}")
        widest = self._settings.widest_v4 if asked.version == 4 else self._settings.widest_v6
        if asked.prefixlen < widest:
            raise RefusedError(f"{client} is wider than the widest decision, a /{widest}")
        return asked

    def _around(self, target: Target, asked: net.Network, finding: Finding) -> Target:
        """The target, narrowed where it would cut off people who did nothing."""
        count = finding.collateral
        if count <= self._settings.collateral or target.kind == "client_account":
            return target
        logins = finding.accounts or finding.targets
        counted = finding.accounts_count or finding.targets_count
        one_host = asked.prefixlen >= net.CLIENT_BITS[asked.version]
        if one_host and len(logins) == 1 and counted <= 1:
            return Target("client_account", f"{target.value} {logins[0]}")
        raise RefusedError(f"would cut off {count} account{'s' if count > 1 else ''}")

    # -- how long ---------------------------------------------------------------------------

    def _decide(
        self,
        finding: Finding,
        target: Target,
        action: Action,
        sentences: dict[str, Sentence],
        now: float,
    ) -> tuple[Decision | None, str]:
        enforced = self._settings.enforce and finding.stage == "enforce"
        text = _text(target)
        before = sentences.get(text) or Sentence()
        if _is_in_force(before, now):
            held = cast(Action, before.action)
            if RANK[action] <= RANK[held]:
                action = held
                if before.enforced or not enforced:
                    return None, _as_before(action, target, before.until, before.enforced)
            level = before.level
            until = max(before.until, self._end(finding, level - 1, now))
        else:
            quiet = int((now - before.until) / WEEK) if before.until else 0
            level = max(0.0, before.level - quiet)
            until = self._end(finding, level, now)
            level = min(level + 1, TOP)
        if not self._spend(now, finding.incident if finding.shared else ""):
            # Asked again at its next event, as one whose sentence has just ended.
            _keep(sentences, text, sentences.get(text) or Sentence(until=now))
            raise RefusedError(self._spent_up(finding), MINUTE)
        generation = before.generation + 1
        _keep(sentences, text, Sentence(level, until, generation, action, enforced, finding.id))
        needs = APPROVERS if enforced and action in self._settings.approve else 0
        decision = Decision(
            id=decision_id(target, action),
            target=target,
            action=action,
            reason=finding.summary,
            alert=finding.id,
            since=now,
            until=until,
            generation=generation,
            enforced=enforced and not needs,
            detector=finding.detector,
            severity=finding.severity,
            needs=needs,
        )
        said = _words(action, target, until, now, enforced)
        if needs:
            said += f" (waits for {needs} persons: {_approval(decision)})"
        return decision, said

    def _end(self, finding: Finding, level: float, now: float) -> float:
        """When a decision ends that is made at this step of the ladder."""
        ladder: float = self._settings.first * 2.0**level
        floor = finding.wish.seconds if finding.wish else 0.0
        return now + min(max(ladder, floor), self._settings.longest)

    def _spend(self, now: float, incident: str) -> bool:
        """Take one of the decisions of this minute, if there is one left."""
        minute = int(now // MINUTE)
        if minute != self._minute:
            self._minute, self._spent = minute, {}
        if incident not in self._spent and len(self._spent) > INCIDENTS:
            incident = ""  # who makes many small ones gets no more by it
        spent = self._spent.get(incident, 0)
        if spent >= self._budget(incident):
            return False
        self._spent[incident] = spent + 1
        return True

    def _budget(self, incident: str) -> int:
        """Of decisions a minute."""
        whole = self._settings.incident_budget if incident else self._settings.budget
        return max(1, int(whole * self._share)) if whole else 0

    def _spent_up(self, finding: Finding) -> str:
        incident = finding.incident if finding.shared else ""
        of = " for one incident" if incident else ""
        return f"the budget of {self._budget(incident)} decisions a minute{of} is spent"

    # -- in words ---------------------------------------------------------------------------

    def _alert(self, finding: Finding, word: str, undo: str) -> Alert:
        return Alert(
            id=finding.id,
            detector=finding.detector,
            shape=finding.shape,
            severity=finding.severity,
            subject=finding.subject,
            first=finding.first,
            last=finding.last,
            at=finding.at,
            summary=finding.summary,
            technique=finding.technique,
            clients=finding.clients,
            clients_count=finding.clients_count,
            accounts=finding.accounts,
            accounts_count=finding.accounts_count,
            targets=finding.targets,
            targets_count=finding.targets_count,
            evidence=finding.evidence,
            rule=finding.rule,
            version=finding.version,
            window=finding.window,
            samples=finding.samples,
            events=finding.events,
            checks=finding.checks,
            origins=self._origins(finding.clients or _subject(finding)),
            domains=self._concerned(finding),
            decision=word,
            undo=undo,
            revision=finding.revision,
            stage=finding.stage,
            state=finding.state,
            blind_to=finding.blind_to,
            incident=finding.incident,
        )

    def _concerned(self, finding: Finding) -> list[str]:
        names = [*finding.accounts, *finding.targets, finding.subject.value]
        domains = {name.rpartition("@")[2] for name in names}
        return sorted(one for one in domains if one in self._domains or one in self._policies)

    def _ruling(self, finding: Finding) -> list[str]:
        """Those whose policies count: what an account does is for its own domain to judge."""
        domains = self._concerned(finding) if self._policies else []
        own = finding.subject.value.rpartition("@")[2]
        return [own] if finding.subject.kind == "account" and own in domains else domains


class RefusedError(Exception):
    """Nothing is decided, and why. `seconds` until it is worth another look."""

    def __init__(self, why: str, seconds: float = HOUR) -> None:
        super().__init__(why)
        self.seconds = seconds


def _subject(finding: Finding) -> list[str]:
    """The client or network that a finding which lists no clients is about."""
    return [finding.subject.value] if finding.subject.kind in ("client", "network") else []


def _text(target: Target) -> str:
    return f"{target.kind}:{target.value}"


def _keep(sentences: dict[str, Sentence], text: str, sentence: Sentence) -> None:
    sentences[text] = sentence
    while len(sentences) > SENTENCES:
        del sentences[min(sentences, key=lambda name: sentences[name].until)]


def _is_in_force(sentence: Sentence | None, now: float) -> bool:
    return sentence is not None and bool(sentence.action) and sentence.until > now


def _rest(sentences: dict[str, Sentence], now: float, seconds: float) -> None:
    """Let sentences that have ended, and were not renewed, rest: the engine tells a finding
    anew at each event after the end of a sentence, which is worth it once in a while."""
    for sentence in sentences.values():
        if sentence.until <= now:
            sentence.action = ""
            sentence.until = now + seconds


def _refusal(
    refused: RefusedError, target: Target | None, sentences: dict[str, Sentence], now: float
) -> str:
    """Why nothing is decided; what was decided before may hold all the same."""
    held = sentences.get(_text(target)) if target else None
    if target is None or held is None or not _is_in_force(held, now):
        return f"nothing: {refused}"
    said = _as_before(held.action, target, held.until, held.enforced)
    return f"{said}; this finding adds nothing: {refused}"


def _undo(target: Target) -> str:
    """The command that lifts what holds for a target, quoted for a shell: attackers choose
    names."""
    return f"mailwarden decisions remove {shlex.quote(_text(target))}"


def _approval(decision: Decision) -> str:
    return f"mailwarden decisions approve {shlex.quote(decision.id)}"


def _words(action: str, target: Target, until: float, now: float, enforced: bool) -> str:
    return f"{action} {target.value} for {span(until - now)}, {_until(until, enforced)}"


def _as_before(action: str, target: Target, until: float, enforced: bool) -> str:
    return f"{action} {target.value} as decided before, {_until(until, enforced)}"


def _until(until: float, enforced: bool) -> str:
    end = datetime.fromtimestamp(until, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    return f"until {end}" if enforced else f"until {end} (observed only, not enforced)"

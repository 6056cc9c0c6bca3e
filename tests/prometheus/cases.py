"""For each alert rule: series of a minute a value that make it fire, and some that do not.

A series is "name{labels}": "values" in promtool's notation; `instance` and `job` are put to each.
`0+1x30` grows by one a minute, `1x30` stays, `_` is no value.
"""

from msgspec import Struct

LATEST = 75  # minutes: when it is looked at, unless a case says otherwise

Series = dict[str, str]


class Case(Struct, frozen=True):
    """`fires` make the alert fire with `labels` at minute `at`; each of `silent` does not."""

    fires: Series
    silent: tuple[Series, ...]
    labels: dict[str, str] = {}
    at: int = LATEST
    whole: bool = False  # it is about no single program


def grows(name: str, by: float = 1.0) -> Series:
    return {name: f"0+{by}x240"}


def stays(name: str, value: float) -> Series:
    return {name: f"{value:g}x240"}


# Fires while a value stands, and not where it is another, nor where it has only just come.
def while_it_is(name: str, value: float, good: float, **labels: str) -> Case:
    said = ",".join(f'{key}="{of}"' for key, of in labels.items())
    series = f"{name}{{{said}}}"
    just = {series: f"{good:g}x{LATEST - 1} {value:g}x9"}
    return Case(stays(series, value), (stays(series, good), just), labels)


# Fires at a counter that grows; not where it stands, whatever it is.
def when_it_grows(name: str, by: float = 1.0, slow: float = 0.0, **labels: str) -> Case:
    said = ",".join(f'{key}="{of}"' for key, of in labels.items())
    series = f"{name}{{{said}}}"
    silent = [stays(series, 7.0)]
    if slow:
        silent.append(grows(series, slow))
    return Case(grows(series, by), tuple(silent), labels)


# The same where the series begins with its first count, of which `increase` sees nothing.
def at_the_first(name: str, **labels: str) -> Case:
    said = ",".join(f'{key}="{of}"' for key, of in labels.items())
    series = f"{name}{{{said}}}"
    return Case({series: f"_x{LATEST - 2} 1x9"}, (stays(series, 7.0),), labels)


def bucketed(name: str, slow: str, slower: str) -> Case:
    """A histogram whose observations all lie between two bounds, or below the lower one."""

    def counts(below: str) -> Series:
        return {
            f'{name}_bucket{{le="{slow}"}}': below,
            f'{name}_bucket{{le="{slower}"}}': "0+10x240",
            f'{name}_bucket{{le="+Inf"}}': "0+10x240",
        }

    return Case(counts("0x240"), (counts("0+10x240"), counts("0+9.5x240")))


EVENTS = "mailwarden_events_total"
FOLDED = "mailwarden_folded_events_total"
LAG = "mailwarden_lag_seconds"
LATE = "mailwarden_late_events_total"
WAITING = "mailwarden_sink_waiting_alerts"
FAILURES = "mailwarden_sink_failures_total"
SIEM = '{sink="siem"}'

CASES: dict[str, Case] = {
    "MailwardenDown": while_it_is("up", 0, 1),
    "MailwardenNoWorker": Case(
        grows('mailwarden_shipped_bytes_total{topic="mail.facts"}'),
        (
            {
                **grows('mailwarden_shipped_bytes_total{topic="mail.facts"}'),
                **stays("mailwarden_folded_messages_total", 0),
            },
            stays("mailwarden_lag_seconds", 1),  # `mailwarden run`, which needs no worker
        ),
        whole=True,
    ),
    "MailwardenBrokerAway": while_it_is("mailwarden_bus_up", 0, 1),
    "MailwardenStoreFailing": when_it_grows("mailwarden_store_write_failures_total"),
    "MailwardenFlushSlow": bucketed("mailwarden_flush_seconds", "1", "5"),
    "MailwardenDetectorFailing": when_it_grows("mailwarden_detector_failures_total"),
    "MailwardenReloadFailed": at_the_first("mailwarden_reloads_total", result="failed"),
    "MailwardenSourceUnreadable": while_it_is(
        "mailwarden_source_readable", 0, 1, source="/var/log/mail.log"
    ),
    "MailwardenSourceBehind": while_it_is(
        "mailwarden_source_behind_bytes", 2e7, 1e6, source="/var/log/mail.log"
    ),
    "MailwardenOutboxFull": while_it_is("mailwarden_outbox_full", 1, 0),
    "MailwardenOutboxGrowing": Case(
        {"mailwarden_outbox_bytes": "70000000+1000000x240"},
        (
            {"mailwarden_outbox_bytes": "200000000-1000000x240"},  # it is being emptied
            grows("mailwarden_outbox_bytes", 100.0),
        ),
    ),
    "MailwardenDeadLetters": when_it_grows("mailwarden_dead_letters_total", 1.0, slow=0.2),
    "MailwardenDeadLettersDropped": when_it_grows("mailwarden_dead_letters_dropped_total"),
    "MailwardenDetectionLag": Case(
        {**stays(LAG, 90), **grows(FOLDED)},
        (
            {**stays(LAG, 30), **grows(FOLDED)},
            {**stays(LAG, 90), **stays(FOLDED, 9)},  # the lag of what came long ago
            {LAG: f"1x{LATEST - 2} 90x9", **grows(FOLDED)},
        ),
    ),
    "MailwardenLateEvents": Case(
        {**grows(LATE), **grows(f'{EVENTS}{{source="mail.log"}}', 5)},
        ({**grows(LATE), **grows(f'{EVENTS}{{source="mail.log"}}', 50)}, grows(LATE, 0)),
    ),
    "MailwardenEvicting": when_it_grows("mailwarden_evicted_records_total", 40_000),
    "MailwardenRecordsLost": when_it_grows("mailwarden_dropped_records_total"),
    "MailwardenMailServerSilent": while_it_is("mailwarden_gateways_silent", 1, 0),
    "MailwardenBlockListUnanswered": Case(
        stays('mailwarden_listed_answering{listed="zen.example"}', 0),
        (
            stays('mailwarden_listed_answering{listed="zen.example"}', 1),
            {'mailwarden_listed_answering{listed="zen.example"}': "1x100 0x120"},
        ),
        {"listed": "zen.example"},
        at=200,
    ),
    "MailwardenGatewayBehind": while_it_is("mailwarden_gateway_dirty", 1, 0, gateway="postfix"),
    "MailwardenGatewayFailing": when_it_grows(
        "mailwarden_gateway_failures_total", slow=0.1, gateway="postfix"
    ),
    "MailwardenGatewaySlow": bucketed("mailwarden_gateway_applied_seconds", "15", "60"),
    "MailwardenGatewayShedding": when_it_grows("mailwarden_gateway_shed_total", gateway="policy"),
    "MailwardenDecisionsRefused": at_the_first(
        "mailwarden_decisions_refused_total", reason="unsigned"
    ),
    "MailwardenLifted": Case(
        stays("mailwarden_gateway_lifted", 1),
        (
            stays("mailwarden_gateway_lifted", 0),
            {"mailwarden_gateway_lifted": "0x30 1x120"},
        ),
        at=80,
    ),
    "MailwardenReportsDropped": when_it_grows("mailwarden_reports_dropped_total"),
    "MailwardenSinkFailing": Case(
        {**grows(FAILURES + SIEM), **stays(WAITING + SIEM, 3)},
        (
            {**grows(FAILURES + SIEM), **stays(WAITING + SIEM, 0)},  # each was told at last
            {**stays(FAILURES + SIEM, 9), **stays(WAITING + SIEM, 3)},  # they wait for a digest
        ),
        {"sink": "siem"},
    ),
    "MailwardenSinkBehind": while_it_is(WAITING, 2000, 900, sink="siem"),
    "MailwardenSinkRefused": at_the_first("mailwarden_sink_refused_alerts_total", sink="siem"),
}

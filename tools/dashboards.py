"""The dashboards of packaging/grafana, from the tables below: each is one screen, with six figures
above six charts.

`python -m tools.dashboards` writes them; a test tells when they are stale.
"""

from pathlib import Path

from tools.grafana import Chart, Dashboard, Figure, text

FOLDER = Path(__file__).parent.parent / "packaging" / "grafana" / "dashboards"

FIRING = 'count(ALERTS{alertname=~"Mailwarden.+",alertstate="firing"}) or vector(0)'
IN_FORCE = Figure(
    "Decisions in force",
    "As the gateways hold them now; the largest list of all gateways.",
    "max(mailwarden_decisions_in_force)",
)
BEHIND = Figure(
    "Gateways not up to date",
    "Gateways that have not applied what is decided.",
    "sum(mailwarden_gateway_dirty)",
    bad=1,
)
SILENT = Figure(
    "Silent mail servers",
    "Expected to speak, and silent for too long.",
    "max(mailwarden_gateways_silent)",
    bad=1,
)
AGE = Figure(
    "Age of the newest event",
    "When it was judged, the oldest of all programs that judge.",
    "max(mailwarden_lag_seconds)",
    unit="s",
    bad=60,
)
WAITING = Figure(
    "Alerts not told",
    "Alerts that wait for a sink, those of a digest included.",
    "sum(mailwarden_sink_waiting_alerts)",
)
BY_SEVERITY = Chart(
    "Findings by severity, a minute",
    "Alerts made, revisions included; info accuses nobody.",
    {"{{severity}}": "sum by (severity) (rate(mailwarden_findings_total[5m])) * 60"},
    stacked=True,
)
BY_ACTION = Chart(
    "Decisions by action, a minute",
    "Decisions made; enforced=false were only observed.",
    {
        "{{action}} enforced={{enforced}}": "sum by (action, enforced)"
        " (rate(mailwarden_decisions_total[5m])) * 60"
    },
    stacked=True,
)
EVENTS = Chart(
    "Events",
    "What the lines amounted to, and what was judged: on Kafka an event is judged once for each"
    " partition that it concerns.",
    {
        "read": "sum(rate(mailwarden_events_total[1m]))",
        "judged by workers": "sum(rate(mailwarden_folded_events_total[1m]))",
    },
    unit="ops",
)
APPLIED = Chart(
    "From decision to gateway",
    "Time from a decision's publication until the gateways have applied it.",
    {
        "half within": "histogram_quantile(0.5,"
        " sum by (le) (rate(mailwarden_gateway_applied_seconds_bucket[15m])))",
        "95 of 100 within": "histogram_quantile(0.95,"
        " sum by (le) (rate(mailwarden_gateway_applied_seconds_bucket[15m])))",
    },
    unit="s",
)
FAILURES = Chart(
    "Failures in five minutes",
    "Calls of gateways, deliveries to sinks, writes of the state, and detectors.",
    {
        "gateway {{gateway}}": "sum by (gateway) (increase(mailwarden_gateway_failures_total[5m]))",
        "sink {{sink}}": "sum by (sink) (increase(mailwarden_sink_failures_total[5m]))",
        "state": "sum(increase(mailwarden_store_write_failures_total[5m]))",
        "detectors": "sum(increase(mailwarden_detector_failures_total[5m]))",
    },
)
UNREAD = Chart(
    "Not read, not shipped",
    "Bytes of the sources that wait to be read, and of the outboxes that no broker has taken.",
    {
        "{{source}}": "sum by (source) (mailwarden_source_behind_bytes)",
        "outbox of {{instance}}": "sum by (instance) (mailwarden_outbox_bytes)",
    },
    unit="bytes",
)

DASHBOARDS = (
    Dashboard(
        "mailwarden",
        "Mailwarden",
        (
            Figure(
                "Findings, last hour",
                "Alerts made, revisions included; those that accuse nobody left out.",
                'sum(increase(mailwarden_findings_total{severity!="info"}[1h]))',
            ),
            IN_FORCE,
            BEHIND,
            SILENT,
            AGE,
            Figure(
                "Alert rules that fire",
                "Rules about Mailwarden itself; docs/alert_rules.md says what to do.",
                FIRING,
                bad=1,
            ),
        ),
        (BY_SEVERITY, BY_ACTION, EVENTS, UNREAD, APPLIED, FAILURES),
    ),
    Dashboard(
        "mailwarden-detection",
        "Mailwarden: detection",
        (
            Figure(
                "Severe findings, last day",
                "High and critical alerts, revisions included.",
                'sum(increase(mailwarden_findings_total{severity=~"high|critical"}[1d]))',
            ),
            AGE,
            SILENT,
            Figure(
                "Forgotten early, last hour",
                "Subjects forgotten for want of room, as in an attack from very many addresses.",
                "sum(increase(mailwarden_evicted_records_total[1h]))",
                bad=1,
            ),
            Figure(
                "Late events, last hour",
                "More than five minutes behind the newest: clocks and zones of mail servers.",
                "sum(increase(mailwarden_late_events_total[1h]))",
            ),
            Figure(
                "Block lists without an answer",
                "Lists, and names of gateways, that cannot be asked about.",
                "count(mailwarden_listed_answering == 0) or vector(0)",
                bad=1,
            ),
        ),
        (
            Chart(
                "Findings by detector, a minute",
                "Alerts made, revisions included.",
                {"{{detector}}": "sum by (detector) (rate(mailwarden_findings_total[5m])) * 60"},
                stacked=True,
            ),
            BY_SEVERITY,
            BY_ACTION,
            Chart(
                "Age of events when they are judged",
                "By program. A step upwards that stays is a program that does not keep up.",
                {"{{instance}}": "max by (instance) (mailwarden_lag_seconds)"},
                unit="s",
            ),
            Chart(
                "Subjects remembered",
                "Clients, networks, accounts, domains and gateways that something is known of.",
                {"{{instance}}": "sum by (instance) (mailwarden_records)"},
            ),
            Chart(
                "Questions to the DNS, a minute",
                "Clients that the DNS was asked about, and those that there was no room for.",
                {
                    "asked": "sum(rate(mailwarden_questions_total[5m])) * 60",
                    "not asked": "sum(rate(mailwarden_questions_dropped_total[5m])) * 60",
                },
            ),
        ),
    ),
    Dashboard(
        "mailwarden-gateways",
        "Mailwarden: gateways",
        (
            IN_FORCE,
            BEHIND,
            Figure(
                "Kill switch",
                "Pulled: nothing is enforced at one gateway at least.",
                "max(mailwarden_gateway_lifted) or vector(0)",
                bad=1,
                words=("not pulled", "pulled"),
            ),
            Figure(
                "Decisions refused, last day",
                "Decisions from Kafka that must not come from any centre: an alarm.",
                "sum(increase(mailwarden_decisions_refused_total[1d])) or vector(0)",
                bad=1,
            ),
            Figure(
                "Turned away, last hour",
                "Packets that firewalls refused for us.",
                "sum(increase(mailwarden_gateway_refused_packets_total[1h])) or vector(0)",
            ),
            Figure(
                "Passed unasked, last hour",
                "Questions answered neutrally for want of room.",
                "sum(increase(mailwarden_gateway_shed_total[1h])) or vector(0)",
                bad=1,
            ),
        ),
        (
            Chart(
                "Answers to mail servers",
                "Questions answered, by gateway and answer.",
                {
                    "{{gateway}} {{answer}}": "sum by (gateway, answer)"
                    " (rate(mailwarden_gateway_answers_total[5m]))"
                },
                unit="ops",
                stacked=True,
            ),
            Chart(
                "Packets refused",
                "By gateway, and by what became of them.",
                {
                    "{{gateway}} {{fate}}": "sum by (gateway, fate)"
                    " (rate(mailwarden_gateway_refused_packets_total[5m]))"
                },
                unit="pps",
                stacked=True,
            ),
            APPLIED,
            Chart(
                "Messages behind the newest",
                "Messages of mail.decisions that the furthest gateway has applied and others not.",
                {
                    "{{instance}}": "scalar(max(mailwarden_gateway_generation))"
                    " - mailwarden_gateway_generation"
                },
            ),
            Chart(
                "Failures in five minutes",
                "Failed calls of a gateway: commands, sockets, servers.",
                {
                    "{{gateway}} of {{instance}}": "sum by (gateway, instance)"
                    " (increase(mailwarden_gateway_failures_total[5m]))"
                },
            ),
            Chart(
                "Not taken, a minute",
                "Questions that were let pass, and events that gateways saw without room for them.",
                {
                    "passed by {{gateway}}": "sum by (gateway)"
                    " (rate(mailwarden_gateway_shed_total[5m])) * 60",
                    "events dropped": "sum(rate(mailwarden_reports_dropped_total[5m])) * 60",
                },
            ),
        ),
    ),
    Dashboard(
        "mailwarden-pipeline",
        "Mailwarden: pipeline",
        (
            Figure(
                "Programs that answer",
                "Programs whose metrics can be read now.",
                'sum(up{job="mailwarden"})',
            ),
            Figure(
                "Kafka",
                "Whether every program reaches the broker.",
                "min(mailwarden_bus_up)",
                words=("away", "up"),
            ),
            Figure(
                "Sources that cannot be read",
                "What such a server sees is not judged.",
                "count(mailwarden_source_readable == 0) or vector(0)",
                bad=1,
            ),
            Figure(
                "Full outboxes",
                "Shippers that have stopped reading until a broker takes something.",
                "sum(mailwarden_outbox_full) or vector(0)",
                bad=1,
            ),
            Figure(
                "Unreadable lines, last hour",
                "Lines that are ours and could not be read.",
                "sum(increase(mailwarden_dead_letters_total[1h]))",
            ),
            WAITING,
        ),
        (
            Chart(
                "Lines",
                "Log lines read by source, and those of programs that are not ours.",
                {
                    "{{source}}": "sum by (source) (rate(mailwarden_lines_total[1m]))",
                    "mails of {{intake}}": "sum by (intake) (rate(mailwarden_mails_total[1m]))",
                    "nobody's": "sum(rate(mailwarden_nobody_lines_total[1m]))",
                },
                unit="ops",
            ),
            EVENTS,
            UNREAD,
            Chart(
                "Time to make safe what has changed",
                "95 of 100 writes of the state take no longer; detection waits for them.",
                {
                    "{{instance}}": "histogram_quantile(0.95,"
                    " sum by (le, instance) (rate(mailwarden_flush_seconds_bucket[5m])))"
                },
                unit="s",
            ),
            Chart(
                "Absorbed once, a minute",
                "What came twice and was counted once, and partitions that were read again.",
                {
                    "events shipped again": "sum(rate(mailwarden_repeated_events_total[5m])) * 60",
                    "seen before": "sum(rate(mailwarden_replayed_messages_total[5m])) * 60",
                    "partitions read again": "sum(rate(mailwarden_rereads_total[5m])) * 60",
                },
            ),
            Chart(
                "Memory",
                "Memory of each program.",
                {"{{instance}}": 'process_resident_memory_bytes{job="mailwarden"}'},
                unit="bytes",
            ),
        ),
    ),
)


if __name__ == "__main__":
    for each in DASHBOARDS:
        (FOLDER / f"{each.uid}.json").write_text(text(each), encoding="utf-8")

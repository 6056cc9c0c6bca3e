"""Every metric of the program, each with a line that says what it means.

Prometheus naming: ``mailwarden_<what>_<unit>_total`` for counters. A label's values come from
the configuration or from a registry, never from a log line: nobody outside can add a series.
Counters are raised once for each batch, not for each line. Which programs export a metric says
streams/exporting.py; docs/metrics.md is made from both.
"""

from prometheus_client import Counter, Gauge, Histogram, disable_created_metrics

# A series beside each counter, of which nobody makes anything.
disable_created_metrics()  # type: ignore[no-untyped-call]

# -- in ---------------------------------------------------------------------------------------

LINES = Counter("mailwarden_lines", "Log lines read", ["source"])
EVENTS = Counter("mailwarden_events", "Events that the lines amounted to", ["source"])
MAILS = Counter("mailwarden_mails", "Mails that an intake took", ["intake"])
NOBODY = Counter("mailwarden_nobody_lines", "Lines of programs that are not ours, passed over")
DEAD = Counter("mailwarden_dead_letters", "Lines that are ours and could not be read")
DEAD_DROPPED = Counter(
    "mailwarden_dead_letters_dropped", "Dead letters beyond the limit: counted, not kept"
)
LAG = Gauge("mailwarden_lag_seconds", "Age of the newest event when it was folded")
SOURCE_UP = Gauge("mailwarden_source_readable", "1 while a source can be read", ["source"])
BEHIND = Gauge("mailwarden_source_behind_bytes", "Bytes of a source not read yet", ["source"])

# -- conclusions ------------------------------------------------------------------------------

FINDINGS = Counter(
    "mailwarden_findings", "Alerts made, revisions included", ["detector", "severity"]
)
DECISIONS = Counter(
    "mailwarden_decisions", "Decisions made, those only observed included", ["action", "enforced"]
)
RECORDS = Gauge("mailwarden_records", "Subjects remembered")
EVICTIONS = Counter("mailwarden_evicted_records", "Subjects forgotten early, for want of room")
LATE = Counter("mailwarden_late_events", "Events more than five minutes behind the newest")
GATEWAYS_SILENT = Gauge("mailwarden_gateways_silent", "Expected gateways that fell silent")
BROKEN = Counter("mailwarden_detector_failures", "Exceptions of detectors, each passed over")
QUESTIONS = Counter("mailwarden_questions", "Clients that the DNS was asked about")
QUESTIONS_DROPPED = Counter(
    "mailwarden_questions_dropped", "Clients that it was not asked about, for want of room"
)
LISTED_ANSWERING = Gauge(
    "mailwarden_listed_answering",
    "1 while a block list, or the name of a gateway that it is asked about, can be asked",
    ["listed"],
)

# -- out --------------------------------------------------------------------------------------

IN_FORCE = Gauge("mailwarden_decisions_in_force", "Decisions that hold now")
GATEWAY_DIRTY = Gauge(
    "mailwarden_gateway_dirty", "1 while a gateway has not applied what is decided", ["gateway"]
)
APPLIED_SECONDS = Histogram(
    "mailwarden_gateway_applied_seconds",
    "Time from a decision's publication until the gateways have applied it",
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2, 5, 15, 60),
)
GATEWAY_FAILURES = Counter("mailwarden_gateway_failures", "Failed calls of a gateway", ["gateway"])
ANSWERS = Counter(
    "mailwarden_gateway_answers", "Questions of mail servers answered", ["gateway", "answer"]
)
SHED = Counter(
    "mailwarden_gateway_shed", "Questions answered neutrally for want of room", ["gateway"]
)
REFUSED_PACKETS = Counter(
    "mailwarden_gateway_refused_packets",
    "Packets that a firewall refused for us, by what became of them",
    ["gateway", "fate"],
)
REFUSED = Counter(
    "mailwarden_decisions_refused", "Decisions from Kafka that were not taken: an alarm", ["reason"]
)
GENERATION = Gauge(
    "mailwarden_gateway_generation", "Messages of mail.decisions up to which all is applied"
)
LIFTED = Gauge("mailwarden_gateway_lifted", "1 while the kill switch is pulled")
REPORTS_DROPPED = Counter(
    "mailwarden_reports_dropped", "Events that gateways saw and nobody had room for"
)
SINK_FAILURES = Counter("mailwarden_sink_failures", "Failed deliveries to a sink", ["sink"])
SINK_REFUSED = Counter(
    "mailwarden_sink_refused_alerts", "Alerts that a receiver will never take, left out", ["sink"]
)
SINK_WAITING = Gauge("mailwarden_sink_waiting_alerts", "Alerts that a sink has not got", ["sink"])

# -- the worker on Kafka ----------------------------------------------------------------------

FOLDED = Counter("mailwarden_folded_events", "Events folded, once for each partition they are for")
MESSAGES = Counter("mailwarden_folded_messages", "Kafka messages of events")
REPEATED = Counter("mailwarden_repeated_events", "Events that a shipper sent again, passed over")
REPLAYED = Counter(
    "mailwarden_replayed_messages", "Messages that were absorbed before, passed over"
)
REREAD = Counter(
    "mailwarden_rereads", "Times that messages were missing, and their partition was read again"
)
TRIMMED = Counter("mailwarden_trimmed_records", "Records that were too large for a slot")
UNPACKED = Counter("mailwarden_dropped_records", "Records that could not be packed: forgotten")
SLOT_BYTES = Gauge("mailwarden_slot_bytes", "Records in the changelog, old copies included")

# -- to and from Kafka ------------------------------------------------------------------------

BUS_UP = Gauge("mailwarden_bus_up", "1 while the Kafka broker takes and gives messages")
SHIPPED = Counter(
    "mailwarden_shipped_bytes", "Bytes handed over to Kafka, before compression", ["topic"]
)
OUTBOX_BYTES = Gauge("mailwarden_outbox_bytes", "Bytes that no broker has taken yet")
OUTBOX_FULL = Gauge("mailwarden_outbox_full", "1 while reading waits for room in the outbox")

# -- the program itself -----------------------------------------------------------------------

FLUSH_SECONDS = Histogram(
    "mailwarden_flush_seconds",
    "Time to make safe what has changed",
    buckets=(0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5),
)
STORE_FAILURES = Counter("mailwarden_store_write_failures", "Failed writes of the state file")
RELOADS = Counter("mailwarden_reloads", "Configurations read on SIGHUP", ["result"])

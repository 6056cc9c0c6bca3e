"""The tables of the one SQLite file, and what is written to them (agents/single/store.py)."""

SCHEMA = """
CREATE TABLE positions (source TEXT PRIMARY KEY, position BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE memory (name TEXT PRIMARY KEY, value BLOB NOT NULL);
CREATE TABLE records (key TEXT PRIMARY KEY, record BLOB NOT NULL);
CREATE TABLE alerts (
    id TEXT PRIMARY KEY,
    last REAL NOT NULL,
    revision INTEGER NOT NULL,
    written REAL NOT NULL,
    alert BLOB NOT NULL
);
CREATE INDEX alerts_last ON alerts (last);
CREATE TABLE decisions (
    id TEXT PRIMARY KEY,
    until REAL NOT NULL,
    origin TEXT NOT NULL,
    decision BLOB NOT NULL
);
CREATE TABLE outbox (
    sink TEXT NOT NULL,
    alert TEXT NOT NULL,
    revision INTEGER NOT NULL,
    PRIMARY KEY (sink, alert)
) WITHOUT ROWID;
CREATE TABLE revised (count INTEGER NOT NULL);
INSERT INTO revised VALUES (0);
"""

AUDIT = """
CREATE TABLE audit (at REAL NOT NULL, decision TEXT NOT NULL, entry BLOB NOT NULL);
CREATE INDEX audit_at ON audit (at);
CREATE TRIGGER audit_stays BEFORE UPDATE ON audit
    BEGIN SELECT RAISE(ABORT, 'the trail of changes is never altered'); END;
"""

# A trail that is old enough may go (`retire`); nothing else may take from it.
AUDIT_GUARD = """
CREATE TRIGGER audit_kept BEFORE DELETE ON audit
    BEGIN SELECT RAISE(ABORT, 'the trail of changes is never altered'); END
"""

# Since version 3: what people make of incidents, and when an alert became more or less severe, was
# withdrawn or stood again. A process of an earlier version that still runs on the file goes on: its
# tables are as they were.
INCIDENTS = """
CREATE TABLE cases (id TEXT PRIMARY KEY, changed REAL NOT NULL, entry BLOB NOT NULL);
CREATE TABLE standing (
    alert TEXT PRIMARY KEY,
    revision INTEGER NOT NULL,
    at REAL NOT NULL,
    severity TEXT NOT NULL,
    state TEXT NOT NULL,
    incident TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE turns (
    alert TEXT NOT NULL,
    revision INTEGER NOT NULL,
    at REAL NOT NULL,
    severity TEXT NOT NULL,
    state TEXT NOT NULL,
    PRIMARY KEY (alert, revision)
) WITHOUT ROWID;
CREATE TRIGGER alerts_turn AFTER UPDATE ON standing
    WHEN new.severity <> old.severity OR new.state <> old.state
    BEGIN INSERT OR IGNORE INTO turns VALUES
        (old.alert, old.revision, old.at, old.severity, old.state),
        (new.alert, new.revision, new.at, new.severity, new.state); DELETE FROM turns
        WHERE alert = new.alert AND revision <= (SELECT revision FROM turns
        WHERE alert = new.alert ORDER BY revision DESC LIMIT 1 OFFSET 64); END;
"""

# What the console follows alerts by. Processes of an earlier version go on beside it.
WRITTEN = "CREATE INDEX IF NOT EXISTS alerts_written ON alerts (written, id)"

PUT_STANDING = """
INSERT INTO standing VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (alert) DO UPDATE SET revision = excluded.revision, at = excluded.at,
    severity = excluded.severity, state = excluded.state, incident = excluded.incident
WHERE excluded.revision >= standing.revision
"""

RETIRE_STANDING = "DELETE FROM standing WHERE alert NOT IN (SELECT id FROM alerts)"
RETIRE_TURNS = "DELETE FROM turns WHERE alert NOT IN (SELECT id FROM alerts)"
RETIRE_CASES = """
DELETE FROM cases WHERE changed < ?
    AND id NOT IN (SELECT id FROM alerts UNION SELECT incident FROM standing)
"""

PUT_AUDIT = "INSERT INTO audit VALUES (?, ?, ?)"

PUT_ALERT = """
INSERT INTO alerts VALUES (?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET last = excluded.last, revision = excluded.revision,
    written = excluded.written, alert = excluded.alert
WHERE excluded.revision >= alerts.revision
"""

# A person's word stands until it ends: nothing automatic takes its place before.
PUT_DECIDED = """
INSERT INTO decisions VALUES (?1, ?2, ?3, ?4)
ON CONFLICT (id) DO UPDATE SET until = excluded.until, origin = excluded.origin,
    decision = excluded.decision
WHERE decisions.origin = 'automatic' OR decisions.until <= ?5
"""

PUT_DECISION = "INSERT OR REPLACE INTO decisions VALUES (?, ?, ?, ?)"

PUT_CASE = "INSERT OR REPLACE INTO cases VALUES (?, ?, ?)"

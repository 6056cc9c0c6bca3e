"""The tables of the console's read model (agents/console/shelf.py)."""

SCHEMA = """
CREATE TABLE memory (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE alerts (
    id TEXT PRIMARY KEY,
    last REAL NOT NULL,
    revision INTEGER NOT NULL,
    alert BLOB NOT NULL
);
CREATE INDEX alerts_last ON alerts (last);
CREATE TABLE turns (
    alert TEXT NOT NULL,
    revision INTEGER NOT NULL,
    at REAL NOT NULL,
    severity TEXT NOT NULL,
    state TEXT NOT NULL,
    PRIMARY KEY (alert, revision)
) WITHOUT ROWID;
CREATE TABLE cases (id TEXT PRIMARY KEY, entry BLOB NOT NULL);
CREATE TABLE decisions (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    value TEXT NOT NULL,
    action TEXT NOT NULL,
    origin TEXT NOT NULL,
    standing TEXT NOT NULL,
    detector TEXT NOT NULL,
    alert TEXT NOT NULL,
    since REAL NOT NULL,
    until REAL NOT NULL,
    said TEXT NOT NULL,
    decision BLOB NOT NULL
);
CREATE INDEX decisions_target ON decisions (kind, value);
CREATE INDEX decisions_until ON decisions (until);
CREATE INDEX decisions_since ON decisions (since);
CREATE INDEX decisions_alert ON decisions (alert);
CREATE INDEX decisions_counted ON decisions (standing, action, until);
CREATE INDEX decisions_decided ON decisions (detector, since);
CREATE TABLE audit (
    place TEXT PRIMARY KEY,
    at REAL NOT NULL,
    target TEXT NOT NULL,
    alert TEXT NOT NULL,
    entry BLOB NOT NULL
);
CREATE INDEX audit_at ON audit (at);
CREATE INDEX audit_target ON audit (target, at);
CREATE INDEX audit_alert ON audit (alert, at)
"""

PUT_ALERT = """
INSERT INTO alerts VALUES (?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET last = excluded.last, revision = excluded.revision,
    alert = excluded.alert
WHERE excluded.revision >= alerts.revision
"""

# An alert may have a thousand revisions: those between two that say the same tell nothing.
PUT_TURN = "INSERT OR IGNORE INTO turns VALUES (?, ?, ?, ?, ?)"
THIN_TURNS = """
DELETE FROM turns WHERE alert = ? AND revision <= (SELECT revision FROM turns
    WHERE alert = ? ORDER BY revision DESC LIMIT 1 OFFSET 64)
"""

PUT_DECISION = "INSERT OR REPLACE INTO decisions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
PUT_AUDIT = "INSERT OR IGNORE INTO audit VALUES (?, ?, ?, ?, ?)"
PUT_CASE = "INSERT OR REPLACE INTO cases VALUES (?, ?)"
PUT_MEMORY = "INSERT OR REPLACE INTO memory VALUES (?, ?)"

-- The platform itself may be who changed something. A rule of a table changes only with the table.

CREATE TABLE new_audit_log (
    id          TEXT PRIMARY KEY,
    at          INTEGER NOT NULL,
    actor_kind  TEXT NOT NULL CHECK (actor_kind IN ('agent', 'owner', 'anybody', 'operator', 'platform')),
    actor_id    TEXT,
    key_id      TEXT,                                 -- the public part
    request_id  TEXT,
    operation   TEXT NOT NULL,
    owner_id    TEXT,                                 -- the person whose concern it is
    project_id  TEXT,
    ticket_id   TEXT,
    target_kind TEXT NOT NULL,
    target_id   TEXT NOT NULL,
    before_json TEXT,                                 -- the fields that changed
    after_json  TEXT,
    CHECK ((actor_kind IN ('agent', 'owner')) = (actor_id IS NOT NULL)),
    CHECK (before_json IS NOT NULL OR after_json IS NOT NULL)
) STRICT;
INSERT INTO new_audit_log SELECT * FROM audit_log;
DROP TABLE audit_log;
ALTER TABLE new_audit_log RENAME TO audit_log;
CREATE INDEX audit_log_by_owner ON audit_log (owner_id, at, id) WHERE owner_id IS NOT NULL;
CREATE INDEX audit_log_by_project ON audit_log (project_id, at, id) WHERE project_id IS NOT NULL;
CREATE INDEX audit_log_by_ticket ON audit_log (ticket_id, at, id) WHERE ticket_id IS NOT NULL;
CREATE TRIGGER audit_log_stays BEFORE UPDATE ON audit_log
BEGIN SELECT RAISE(ABORT, 'the audit log is append only'); END;
CREATE TRIGGER audit_log_remains BEFORE DELETE ON audit_log
BEGIN SELECT RAISE(ABORT, 'the audit log is append only'); END;

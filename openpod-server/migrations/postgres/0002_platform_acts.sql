-- The platform itself may be who changed something.

ALTER TABLE audit_log DROP CONSTRAINT audit_log_actor_kind_check;
ALTER TABLE audit_log ADD CONSTRAINT audit_log_actor_kind_check
    CHECK (actor_kind IN ('agent', 'owner', 'anybody', 'operator', 'platform'));

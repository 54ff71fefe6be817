-- Ids are UUID v7 text, money is bigint cents, times are microseconds since 1970-01-01T00:00:00Z.

CREATE TABLE agents (
    id                TEXT PRIMARY KEY,
    name              TEXT NOT NULL,
    name_key          TEXT NOT NULL UNIQUE,           -- the name without case
    slug              TEXT NOT NULL UNIQUE,
    description       TEXT,
    capabilities      TEXT NOT NULL,                  -- JSON, in the order given; agent_capabilities is for search
    llm_provider      TEXT,
    autonomy_level    TEXT,
    hourly_rate_cents INTEGER CHECK (hourly_rate_cents >= 0),
    website_url       TEXT,
    avatar_url        TEXT,
    created_at        INTEGER NOT NULL,
    last_seen_at      INTEGER,
    changed_at        INTEGER                         -- when anything of the agent's concern last changed
) STRICT;
CREATE INDEX agents_by_age ON agents (created_at, id);

CREATE TABLE agent_capabilities (
    agent_id   TEXT NOT NULL REFERENCES agents (id),
    capability TEXT NOT NULL,
    PRIMARY KEY (agent_id, capability)
) STRICT, WITHOUT ROWID;
CREATE INDEX agent_capabilities_by_capability ON agent_capabilities (capability, agent_id);

CREATE TABLE owners (
    id            TEXT PRIMARY KEY,
    login         TEXT NOT NULL,
    login_key     TEXT NOT NULL UNIQUE,
    password_hash TEXT NOT NULL,                      -- argon2id, in PHC form
    created_at    INTEGER NOT NULL
) STRICT;

CREATE TABLE api_keys (
    key_id        TEXT PRIMARY KEY,
    agent_id      TEXT REFERENCES agents (id),
    owner_id      TEXT REFERENCES owners (id),
    secret_sha256 BLOB NOT NULL CHECK (length(secret_sha256) = 32),
    name          TEXT,
    scopes        TEXT NOT NULL,                      -- JSON; ["*"] for everything
    created_at    INTEGER NOT NULL,
    expires_at    INTEGER,
    revoked_at    INTEGER,
    last_used_at  INTEGER,
    replaced_by   TEXT REFERENCES api_keys (key_id),
    CHECK ((agent_id IS NULL) <> (owner_id IS NULL))
) STRICT;
CREATE INDEX api_keys_by_agent ON api_keys (agent_id, created_at, key_id);
CREATE INDEX api_keys_by_owner ON api_keys (owner_id, created_at, key_id);

CREATE TABLE projects (
    id             TEXT PRIMARY KEY,
    title          TEXT NOT NULL,
    description    TEXT NOT NULL,
    budget_cents   INTEGER CHECK (budget_cents >= 0),
    status         TEXT NOT NULL CHECK (status IN ('open', 'in_progress', 'completed', 'cancelled')),
    github_repo    TEXT,                              -- its web address, as it was given
    repo_owner     TEXT,
    repo_name      TEXT,
    owner_agent_id TEXT REFERENCES agents (id),
    owner_id       TEXT REFERENCES owners (id),
    tickets_made   INTEGER NOT NULL DEFAULT 0,        -- the highest ticket number given out
    created_at     INTEGER NOT NULL,
    updated_at     INTEGER NOT NULL,
    CHECK ((owner_agent_id IS NULL) <> (owner_id IS NULL)),
    CHECK ((repo_owner IS NULL) = (repo_name IS NULL))
) STRICT;
CREATE INDEX projects_by_age ON projects (status, created_at, id);
CREATE INDEX projects_by_repository ON projects (lower(repo_owner), lower(repo_name)) WHERE repo_owner IS NOT NULL;
CREATE INDEX projects_by_owner_agent ON projects (owner_agent_id);
CREATE INDEX projects_by_owner ON projects (owner_id);

CREATE TABLE positions (
    id                    TEXT PRIMARY KEY,
    project_id            TEXT NOT NULL REFERENCES projects (id),
    title                 TEXT NOT NULL,
    description           TEXT,
    role_level            TEXT NOT NULL CHECK (role_level IN ('pm', 'lead', 'worker')),
    required_capabilities TEXT NOT NULL,              -- JSON; position_capabilities is for search
    max_agents            INTEGER NOT NULL CHECK (max_agents >= 1),
    budget_cap_cents      INTEGER CHECK (budget_cap_cents >= 0),
    status                TEXT NOT NULL CHECK (status IN ('open', 'filled', 'closed')),
    created_at            INTEGER NOT NULL
) STRICT;
CREATE INDEX positions_by_project ON positions (project_id, created_at, id);
CREATE INDEX positions_by_age ON positions (status, created_at, id);

CREATE TABLE position_capabilities (
    position_id TEXT NOT NULL REFERENCES positions (id),
    capability  TEXT NOT NULL,
    PRIMARY KEY (position_id, capability)
) STRICT, WITHOUT ROWID;
CREATE INDEX position_capabilities_by_capability ON position_capabilities (capability, position_id);

CREATE TABLE applications (
    id           TEXT PRIMARY KEY,
    position_id  TEXT NOT NULL REFERENCES positions (id),
    agent_id     TEXT NOT NULL REFERENCES agents (id),
    cover_letter TEXT NOT NULL,
    status       TEXT NOT NULL CHECK (status IN ('pending', 'accepted', 'rejected')),
    comment      TEXT,
    created_at   INTEGER NOT NULL,
    updated_at   INTEGER NOT NULL
) STRICT;
-- A rejected agent may apply again; nobody applies twice at once.
CREATE UNIQUE INDEX applications_in_force ON applications (position_id, agent_id) WHERE status <> 'rejected';
CREATE INDEX applications_by_agent ON applications (agent_id, created_at, id);
CREATE INDEX applications_by_position ON applications (position_id, status, created_at, id);

CREATE TABLE memberships (
    project_id  TEXT NOT NULL REFERENCES projects (id),
    agent_id    TEXT NOT NULL REFERENCES agents (id),
    position_id TEXT NOT NULL REFERENCES positions (id),
    role_level  TEXT NOT NULL CHECK (role_level IN ('pm', 'lead', 'worker')),
    created_at  INTEGER NOT NULL,
    PRIMARY KEY (project_id, agent_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX memberships_by_agent ON memberships (agent_id, project_id);
CREATE INDEX memberships_by_position ON memberships (position_id);

CREATE TABLE channels (
    id            TEXT PRIMARY KEY,
    project_id    TEXT NOT NULL REFERENCES projects (id),
    name          TEXT NOT NULL,
    messages_made INTEGER NOT NULL DEFAULT 0,         -- the highest position given out
    created_at    INTEGER NOT NULL,
    UNIQUE (project_id, name)
) STRICT;

CREATE TABLE messages (
    id              TEXT PRIMARY KEY,
    channel_id      TEXT NOT NULL REFERENCES channels (id),
    position        INTEGER NOT NULL,                 -- counts up within the channel, from 1 without gaps
    author_agent_id TEXT REFERENCES agents (id),
    author_owner_id TEXT REFERENCES owners (id),
    content         TEXT NOT NULL,
    created_at      INTEGER NOT NULL,
    UNIQUE (channel_id, position),
    CHECK ((author_agent_id IS NULL) <> (author_owner_id IS NULL))
) STRICT;
CREATE INDEX messages_by_author ON messages (channel_id, author_agent_id, position);

CREATE TABLE channel_reads (
    agent_id      TEXT NOT NULL REFERENCES agents (id),
    channel_id    TEXT NOT NULL REFERENCES channels (id),
    read_position INTEGER NOT NULL,                   -- messages up to here were read
    PRIMARY KEY (agent_id, channel_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE tickets (
    id                  TEXT PRIMARY KEY,
    project_id          TEXT NOT NULL REFERENCES projects (id),
    number              INTEGER NOT NULL CHECK (number >= 1),
    title               TEXT NOT NULL,
    description         TEXT,
    priority            TEXT NOT NULL CHECK (priority IN ('low', 'medium', 'high', 'urgent')),
    kind                TEXT NOT NULL CHECK (kind IN ('epic', 'story', 'task', 'bug', 'spike')),
    acceptance_criteria TEXT NOT NULL,                -- JSON
    labels              TEXT NOT NULL,                -- JSON
    assignee_id         TEXT REFERENCES agents (id),
    status              TEXT NOT NULL CHECK (status IN ('todo', 'in_progress', 'in_review', 'done', 'cancelled')),
    approval            TEXT CHECK (approval IN ('pending', 'approved', 'rejected', 'revision_requested')),
    payout_cents        INTEGER CHECK (payout_cents >= 0),
    submitted_at        INTEGER,
    branch_name         TEXT,
    deliverables        TEXT NOT NULL,                -- JSON
    version             INTEGER NOT NULL CHECK (version >= 1),
    created_at          INTEGER NOT NULL,
    updated_at          INTEGER NOT NULL,
    UNIQUE (project_id, number),
    CHECK ((approval IS NOT NULL AND approval = 'approved') = (payout_cents IS NOT NULL)),
    CHECK ((status IN ('in_review', 'done')) = (submitted_at IS NOT NULL)),
    CHECK (CASE status
        WHEN 'in_progress' THEN approval IS NULL OR approval = 'revision_requested'
        WHEN 'in_review'   THEN approval IS NOT NULL AND approval = 'pending'
        WHEN 'done'        THEN approval IS NOT NULL AND approval <> 'revision_requested'
        ELSE approval IS NULL
    END)
) STRICT;
CREATE INDEX tickets_by_assignee ON tickets (assignee_id, status, number);
CREATE INDEX tickets_awaiting ON tickets (project_id, number) WHERE approval = 'pending';

CREATE TABLE ticket_comments (
    id              TEXT PRIMARY KEY,
    ticket_id       TEXT NOT NULL REFERENCES tickets (id),
    author_agent_id TEXT REFERENCES agents (id),
    author_owner_id TEXT REFERENCES owners (id),
    content         TEXT NOT NULL,
    created_at      INTEGER NOT NULL,
    CHECK ((author_agent_id IS NULL) <> (author_owner_id IS NULL))
) STRICT;
CREATE INDEX ticket_comments_by_ticket ON ticket_comments (ticket_id, created_at, id);

CREATE TABLE ratings (
    ticket_id TEXT PRIMARY KEY REFERENCES tickets (id),
    agent_id  TEXT NOT NULL REFERENCES agents (id),
    rating    INTEGER NOT NULL CHECK (rating BETWEEN 1 AND 5)
) STRICT;
CREATE INDEX ratings_by_agent ON ratings (agent_id);

CREATE TABLE knowledge (
    id              TEXT PRIMARY KEY,
    project_id      TEXT NOT NULL REFERENCES projects (id),
    author_agent_id TEXT REFERENCES agents (id),
    author_owner_id TEXT REFERENCES owners (id),
    title           TEXT NOT NULL,
    content         TEXT NOT NULL,
    category        TEXT NOT NULL CHECK (category IN ('architecture', 'decisions', 'patterns', 'context', 'general')),
    importance      TEXT NOT NULL CHECK (importance IN ('pinned', 'high', 'normal', 'low')),
    tags            TEXT NOT NULL,                    -- JSON
    version         INTEGER NOT NULL,
    created_at      INTEGER NOT NULL,
    updated_at      INTEGER NOT NULL
) STRICT;
CREATE INDEX knowledge_by_project ON knowledge (project_id, created_at, id);
-- `project` is the project's id as one word, so that a search reads the words of one project only.
CREATE VIRTUAL TABLE knowledge_words
    USING fts5 (id UNINDEXED, project, title, content, tags, tokenize = 'porter unicode61');

CREATE TABLE webhooks (
    id              TEXT PRIMARY KEY,
    agent_id        TEXT NOT NULL REFERENCES agents (id),
    url             TEXT NOT NULL,
    events          TEXT NOT NULL,                    -- JSON, in the order given; webhook_events is for search
    secret          TEXT NOT NULL,
    old_secret      TEXT,                             -- the one before, which signs too
    old_secret_until INTEGER,                         -- until then
    is_active       INTEGER NOT NULL CHECK (is_active IN (0, 1)),
    disabled_reason TEXT,
    failing_since   INTEGER,                          -- the first failure after the last success
    is_slow         INTEGER NOT NULL DEFAULT 0 CHECK (is_slow IN (0, 1)), -- its last answer took long
    due_at          INTEGER,                          -- when the next of its deliveries is due
    lease           TEXT,                             -- who delivers to it: one at a time
    leased_until    INTEGER,
    created_at      INTEGER NOT NULL,
    CHECK (is_active = 1 OR due_at IS NULL),
    CHECK ((lease IS NULL) = (leased_until IS NULL)),
    CHECK ((old_secret IS NULL) = (old_secret_until IS NULL))
) STRICT;
CREATE INDEX webhooks_by_agent ON webhooks (agent_id, created_at, id);
-- Those that work are looked for apart from those that fail or are slow, so that many of these do not hide the others.
CREATE INDEX webhooks_due ON webhooks (due_at, id)
    WHERE due_at IS NOT NULL AND lease IS NULL AND failing_since IS NULL AND is_slow = 0;
CREATE INDEX webhooks_due_again ON webhooks (due_at, id)
    WHERE due_at IS NOT NULL AND lease IS NULL AND (failing_since IS NOT NULL OR is_slow = 1);
CREATE INDEX webhooks_leased ON webhooks (leased_until) WHERE lease IS NOT NULL;

CREATE TABLE webhook_events (
    webhook_id TEXT NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE,
    event      TEXT NOT NULL,
    PRIMARY KEY (webhook_id, event)
) STRICT, WITHOUT ROWID;

-- The outbox: one row for each event and webhook, written in the transaction that causes it.
CREATE TABLE deliveries (
    id              TEXT PRIMARY KEY,                 -- the webhook-id, the same on every attempt
    webhook_id      TEXT NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE,
    project_id      TEXT REFERENCES projects (id),    -- in which it happened; null for a test
    event           TEXT NOT NULL,
    body            TEXT NOT NULL,                    -- exactly what is signed and sent
    status          TEXT NOT NULL CHECK (status IN ('pending', 'delivered', 'failed')),
    attempts        INTEGER NOT NULL DEFAULT 0,
    attempts_before INTEGER NOT NULL DEFAULT 0,       -- its last replay, with which the schedule began anew
    next_attempt_at INTEGER,                          -- null when none is to come
    created_at      INTEGER NOT NULL,
    finished_at     INTEGER,
    CHECK ((status = 'pending') = (next_attempt_at IS NOT NULL)),
    CHECK ((status = 'pending') = (finished_at IS NULL))
) STRICT;
CREATE INDEX deliveries_due ON deliveries (webhook_id, next_attempt_at, id) WHERE status = 'pending';
CREATE INDEX deliveries_ended ON deliveries (finished_at) WHERE finished_at IS NOT NULL;
CREATE INDEX deliveries_by_webhook ON deliveries (webhook_id, created_at, id);

CREATE TABLE delivery_attempts (
    delivery_id TEXT NOT NULL REFERENCES deliveries (id) ON DELETE CASCADE,
    attempt     INTEGER NOT NULL,
    begun_at    INTEGER NOT NULL,
    ended_at    INTEGER NOT NULL,
    http_status INTEGER,
    error       TEXT,                                 -- why it failed, in words
    PRIMARY KEY (delivery_id, attempt)
) STRICT, WITHOUT ROWID;

-- The ledger: double entry, append only. A transaction is written after its ticket was approved, and brings its three
-- entries about by itself: so it always has exactly these, they sum to zero, and no other is ever let in.
CREATE TABLE ledger_transactions (
    id               TEXT PRIMARY KEY,
    kind             TEXT NOT NULL CHECK (kind IN ('deliverable_approved')),
    project_id       TEXT NOT NULL REFERENCES projects (id),
    ticket_id        TEXT NOT NULL REFERENCES tickets (id),
    agent_id         TEXT NOT NULL REFERENCES agents (id),
    amount_cents     INTEGER NOT NULL CHECK (amount_cents >= 0),
    commission_cents INTEGER NOT NULL CHECK (commission_cents = (amount_cents + 5) / 10),
    description      TEXT,
    created_at       INTEGER NOT NULL,
    UNIQUE (ticket_id, kind)                          -- a ticket is paid once, whatever the code thinks
) STRICT;
CREATE INDEX ledger_transactions_by_project ON ledger_transactions (project_id, created_at, id);
CREATE INDEX ledger_transactions_by_agent ON ledger_transactions (agent_id, created_at, id);

CREATE TABLE ledger_entries (
    transaction_id TEXT NOT NULL REFERENCES ledger_transactions (id),
    account_kind   TEXT NOT NULL CHECK (account_kind IN ('project', 'agent', 'platform')),
    account_id     TEXT,
    amount_cents   INTEGER NOT NULL,
    PRIMARY KEY (transaction_id, account_kind),
    CHECK ((account_kind = 'platform') = (account_id IS NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX ledger_entries_by_account ON ledger_entries (account_kind, account_id);

CREATE TRIGGER ledger_transactions_pay_approvals BEFORE INSERT ON ledger_transactions
WHEN NOT EXISTS (
    SELECT 1 FROM tickets t WHERE t.id = NEW.ticket_id AND t.project_id = NEW.project_id
    AND t.assignee_id = NEW.agent_id AND t.approval = 'approved' AND t.payout_cents = NEW.amount_cents)
BEGIN SELECT RAISE(ABORT, 'a payment must be what its ticket was approved for'); END;
CREATE TRIGGER ledger_transactions_bring_entries AFTER INSERT ON ledger_transactions
BEGIN
    INSERT INTO ledger_entries (transaction_id, account_kind, account_id, amount_cents) VALUES
        (NEW.id, 'project', NEW.project_id, -NEW.amount_cents),
        (NEW.id, 'agent', NEW.agent_id, NEW.amount_cents - NEW.commission_cents),
        (NEW.id, 'platform', NULL, NEW.commission_cents);
END;
CREATE TRIGGER ledger_entries_match BEFORE INSERT ON ledger_entries
WHEN NOT EXISTS (
    SELECT 1 FROM ledger_transactions t WHERE t.id = NEW.transaction_id AND (
        (NEW.account_kind = 'project' AND NEW.account_id = t.project_id AND NEW.amount_cents = -t.amount_cents)
        OR (NEW.account_kind = 'agent' AND NEW.account_id = t.agent_id
            AND NEW.amount_cents = t.amount_cents - t.commission_cents)
        OR (NEW.account_kind = 'platform' AND NEW.amount_cents = t.commission_cents)))
BEGIN SELECT RAISE(ABORT, 'an entry must match its transaction'); END;
-- What was paid for stays as it was paid for.
CREATE TRIGGER tickets_stay_paid BEFORE UPDATE ON tickets
WHEN OLD.approval = 'approved' AND (NEW.approval IS DISTINCT FROM OLD.approval
    OR NEW.payout_cents IS DISTINCT FROM OLD.payout_cents OR NEW.assignee_id IS DISTINCT FROM OLD.assignee_id
    OR NEW.project_id IS DISTINCT FROM OLD.project_id)
BEGIN SELECT RAISE(ABORT, 'an approval is final'); END;

CREATE TRIGGER ledger_transactions_stay BEFORE UPDATE ON ledger_transactions
BEGIN SELECT RAISE(ABORT, 'the ledger is append only'); END;
CREATE TRIGGER ledger_transactions_remain BEFORE DELETE ON ledger_transactions
BEGIN SELECT RAISE(ABORT, 'the ledger is append only'); END;
CREATE TRIGGER ledger_entries_stay BEFORE UPDATE ON ledger_entries
BEGIN SELECT RAISE(ABORT, 'the ledger is append only'); END;
CREATE TRIGGER ledger_entries_remain BEFORE DELETE ON ledger_entries
BEGIN SELECT RAISE(ABORT, 'the ledger is append only'); END;

-- Who did what, before and after: one row for each change, written in its transaction; append only. It refers to
-- things by id without a foreign key, because it outlives them.
CREATE TABLE audit_log (
    id          TEXT PRIMARY KEY,
    at          INTEGER NOT NULL,
    actor_kind  TEXT NOT NULL CHECK (actor_kind IN ('agent', 'owner', 'anybody', 'operator')),
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
CREATE INDEX audit_log_by_owner ON audit_log (owner_id, at, id) WHERE owner_id IS NOT NULL;
CREATE INDEX audit_log_by_project ON audit_log (project_id, at, id) WHERE project_id IS NOT NULL;
CREATE INDEX audit_log_by_ticket ON audit_log (ticket_id, at, id) WHERE ticket_id IS NOT NULL;
CREATE TRIGGER audit_log_stays BEFORE UPDATE ON audit_log
BEGIN SELECT RAISE(ABORT, 'the audit log is append only'); END;
CREATE TRIGGER audit_log_remains BEFORE DELETE ON audit_log
BEGIN SELECT RAISE(ABORT, 'the audit log is append only'); END;

CREATE TABLE idempotency_keys (
    caller      TEXT NOT NULL,
    key         TEXT NOT NULL,
    operation   TEXT NOT NULL,
    path        TEXT NOT NULL,
    body_sha256 BLOB NOT NULL,
    status      INTEGER NOT NULL,
    version     INTEGER,
    body        BLOB NOT NULL,
    created_at  INTEGER NOT NULL,
    PRIMARY KEY (caller, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);

-- Ids are UUID v7 text, money is bigint cents, times are microseconds since 1970-01-01T00:00:00Z.
-- The tables of ../sqlite/0001_platform.sql, with its comments; a test compares them. Text is ordered by its bytes.

CREATE TABLE agents (
    id                TEXT COLLATE "C" PRIMARY KEY,
    name              TEXT COLLATE "C" NOT NULL,
    name_key          TEXT COLLATE "C" NOT NULL UNIQUE,
    slug              TEXT COLLATE "C" NOT NULL UNIQUE,
    description       TEXT COLLATE "C",
    capabilities      TEXT COLLATE "C" NOT NULL,
    llm_provider      TEXT COLLATE "C",
    autonomy_level    TEXT COLLATE "C",
    hourly_rate_cents BIGINT CHECK (hourly_rate_cents >= 0),
    website_url       TEXT COLLATE "C",
    avatar_url        TEXT COLLATE "C",
    created_at        BIGINT NOT NULL,
    last_seen_at      BIGINT,
    changed_at        BIGINT
);
CREATE INDEX agents_by_age ON agents (created_at, id);

CREATE TABLE agent_capabilities (
    agent_id   TEXT COLLATE "C" NOT NULL REFERENCES agents (id),
    capability TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (agent_id, capability)
);
CREATE INDEX agent_capabilities_by_capability ON agent_capabilities (capability, agent_id);

CREATE TABLE owners (
    id            TEXT COLLATE "C" PRIMARY KEY,
    login         TEXT COLLATE "C" NOT NULL,
    login_key     TEXT COLLATE "C" NOT NULL UNIQUE,
    password_hash TEXT COLLATE "C" NOT NULL,
    created_at    BIGINT NOT NULL
);

CREATE TABLE api_keys (
    key_id        TEXT COLLATE "C" PRIMARY KEY,
    agent_id      TEXT COLLATE "C" REFERENCES agents (id),
    owner_id      TEXT COLLATE "C" REFERENCES owners (id),
    secret_sha256 BYTEA NOT NULL CHECK (length(secret_sha256) = 32),
    name          TEXT COLLATE "C",
    scopes        TEXT COLLATE "C" NOT NULL,
    created_at    BIGINT NOT NULL,
    expires_at    BIGINT,
    revoked_at    BIGINT,
    last_used_at  BIGINT,
    replaced_by   TEXT COLLATE "C" REFERENCES api_keys (key_id),
    CHECK ((agent_id IS NULL) <> (owner_id IS NULL))
);
CREATE INDEX api_keys_by_agent ON api_keys (agent_id, created_at, key_id);
CREATE INDEX api_keys_by_owner ON api_keys (owner_id, created_at, key_id);

CREATE TABLE projects (
    id             TEXT COLLATE "C" PRIMARY KEY,
    title          TEXT COLLATE "C" NOT NULL,
    description    TEXT COLLATE "C" NOT NULL,
    budget_cents   BIGINT CHECK (budget_cents >= 0),
    status         TEXT COLLATE "C" NOT NULL CHECK (status IN ('open', 'in_progress', 'completed', 'cancelled')),
    github_repo    TEXT COLLATE "C",
    repo_owner     TEXT COLLATE "C",
    repo_name      TEXT COLLATE "C",
    owner_agent_id TEXT COLLATE "C" REFERENCES agents (id),
    owner_id       TEXT COLLATE "C" REFERENCES owners (id),
    tickets_made   BIGINT NOT NULL DEFAULT 0,
    created_at     BIGINT NOT NULL,
    updated_at     BIGINT NOT NULL,
    CHECK ((owner_agent_id IS NULL) <> (owner_id IS NULL)),
    CHECK ((repo_owner IS NULL) = (repo_name IS NULL))
);
CREATE INDEX projects_by_age ON projects (status, created_at, id);
CREATE INDEX projects_by_owner_agent ON projects (owner_agent_id);
CREATE INDEX projects_by_owner ON projects (owner_id);

CREATE TABLE positions (
    id                    TEXT COLLATE "C" PRIMARY KEY,
    project_id            TEXT COLLATE "C" NOT NULL REFERENCES projects (id),
    title                 TEXT COLLATE "C" NOT NULL,
    description           TEXT COLLATE "C",
    role_level            TEXT COLLATE "C" NOT NULL CHECK (role_level IN ('pm', 'lead', 'worker')),
    required_capabilities TEXT COLLATE "C" NOT NULL,
    max_agents            BIGINT NOT NULL CHECK (max_agents >= 1),
    budget_cap_cents      BIGINT CHECK (budget_cap_cents >= 0),
    status                TEXT COLLATE "C" NOT NULL CHECK (status IN ('open', 'filled', 'closed')),
    created_at            BIGINT NOT NULL
);
CREATE INDEX positions_by_project ON positions (project_id, created_at, id);
CREATE INDEX positions_by_age ON positions (status, created_at, id);

CREATE TABLE position_capabilities (
    position_id TEXT COLLATE "C" NOT NULL REFERENCES positions (id),
    capability  TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (position_id, capability)
);
CREATE INDEX position_capabilities_by_capability ON position_capabilities (capability, position_id);

CREATE TABLE applications (
    id           TEXT COLLATE "C" PRIMARY KEY,
    position_id  TEXT COLLATE "C" NOT NULL REFERENCES positions (id),
    agent_id     TEXT COLLATE "C" NOT NULL REFERENCES agents (id),
    cover_letter TEXT COLLATE "C" NOT NULL,
    status       TEXT COLLATE "C" NOT NULL CHECK (status IN ('pending', 'accepted', 'rejected')),
    comment      TEXT COLLATE "C",
    created_at   BIGINT NOT NULL,
    updated_at   BIGINT NOT NULL
);
-- A rejected agent may apply again; nobody applies twice at once.
CREATE UNIQUE INDEX applications_in_force ON applications (position_id, agent_id) WHERE status <> 'rejected';
CREATE INDEX applications_by_agent ON applications (agent_id, created_at, id);
CREATE INDEX applications_by_position ON applications (position_id, status, created_at, id);

CREATE TABLE memberships (
    project_id  TEXT COLLATE "C" NOT NULL REFERENCES projects (id),
    agent_id    TEXT COLLATE "C" NOT NULL REFERENCES agents (id),
    position_id TEXT COLLATE "C" NOT NULL REFERENCES positions (id),
    role_level  TEXT COLLATE "C" NOT NULL CHECK (role_level IN ('pm', 'lead', 'worker')),
    created_at  BIGINT NOT NULL,
    PRIMARY KEY (project_id, agent_id)
);
CREATE INDEX memberships_by_agent ON memberships (agent_id, project_id);
CREATE INDEX memberships_by_position ON memberships (position_id);

CREATE TABLE channels (
    id            TEXT COLLATE "C" PRIMARY KEY,
    project_id    TEXT COLLATE "C" NOT NULL REFERENCES projects (id),
    name          TEXT COLLATE "C" NOT NULL,
    messages_made BIGINT NOT NULL DEFAULT 0,
    created_at    BIGINT NOT NULL,
    UNIQUE (project_id, name)
);

CREATE TABLE messages (
    id              TEXT COLLATE "C" PRIMARY KEY,
    channel_id      TEXT COLLATE "C" NOT NULL REFERENCES channels (id),
    position        BIGINT NOT NULL,
    author_agent_id TEXT COLLATE "C" REFERENCES agents (id),
    author_owner_id TEXT COLLATE "C" REFERENCES owners (id),
    content         TEXT COLLATE "C" NOT NULL,
    created_at      BIGINT NOT NULL,
    UNIQUE (channel_id, position),
    CHECK ((author_agent_id IS NULL) <> (author_owner_id IS NULL))
);
CREATE INDEX messages_by_author ON messages (channel_id, author_agent_id, position);

CREATE TABLE channel_reads (
    agent_id      TEXT COLLATE "C" NOT NULL REFERENCES agents (id),
    channel_id    TEXT COLLATE "C" NOT NULL REFERENCES channels (id),
    read_position BIGINT NOT NULL,
    PRIMARY KEY (agent_id, channel_id)
);

CREATE TABLE tickets (
    id                  TEXT COLLATE "C" PRIMARY KEY,
    project_id          TEXT COLLATE "C" NOT NULL REFERENCES projects (id),
    number              BIGINT NOT NULL CHECK (number >= 1),
    title               TEXT COLLATE "C" NOT NULL,
    description         TEXT COLLATE "C",
    priority            TEXT COLLATE "C" NOT NULL CHECK (priority IN ('low', 'medium', 'high', 'urgent')),
    kind                TEXT COLLATE "C" NOT NULL CHECK (kind IN ('epic', 'story', 'task', 'bug', 'spike')),
    acceptance_criteria TEXT COLLATE "C" NOT NULL,
    labels              TEXT COLLATE "C" NOT NULL,
    assignee_id         TEXT COLLATE "C" REFERENCES agents (id),
    status              TEXT COLLATE "C" NOT NULL CHECK (status IN ('todo', 'in_progress', 'in_review', 'done', 'cancelled')),
    approval            TEXT COLLATE "C" CHECK (approval IN ('pending', 'approved', 'rejected', 'revision_requested')),
    payout_cents        BIGINT CHECK (payout_cents >= 0),
    submitted_at        BIGINT,
    branch_name         TEXT COLLATE "C",
    deliverables        TEXT COLLATE "C" NOT NULL,
    version             BIGINT NOT NULL CHECK (version >= 1),
    created_at          BIGINT NOT NULL,
    updated_at          BIGINT NOT NULL,
    UNIQUE (project_id, number),
    CHECK ((approval IS NOT NULL AND approval = 'approved') = (payout_cents IS NOT NULL)),
    CHECK ((status IN ('in_review', 'done')) = (submitted_at IS NOT NULL)),
    CHECK (CASE status
        WHEN 'in_progress' THEN approval IS NULL OR approval = 'revision_requested'
        WHEN 'in_review'   THEN approval IS NOT NULL AND approval = 'pending'
        WHEN 'done'        THEN approval IS NOT NULL AND approval <> 'revision_requested'
        ELSE approval IS NULL
    END)
);
CREATE INDEX tickets_by_assignee ON tickets (assignee_id, status, number);
CREATE INDEX tickets_awaiting ON tickets (project_id, number) WHERE approval = 'pending';

CREATE TABLE ticket_comments (
    id              TEXT COLLATE "C" PRIMARY KEY,
    ticket_id       TEXT COLLATE "C" NOT NULL REFERENCES tickets (id),
    author_agent_id TEXT COLLATE "C" REFERENCES agents (id),
    author_owner_id TEXT COLLATE "C" REFERENCES owners (id),
    content         TEXT COLLATE "C" NOT NULL,
    created_at      BIGINT NOT NULL,
    CHECK ((author_agent_id IS NULL) <> (author_owner_id IS NULL))
);
CREATE INDEX ticket_comments_by_ticket ON ticket_comments (ticket_id, created_at, id);

CREATE TABLE ratings (
    ticket_id TEXT COLLATE "C" PRIMARY KEY REFERENCES tickets (id),
    agent_id  TEXT COLLATE "C" NOT NULL REFERENCES agents (id),
    rating    BIGINT NOT NULL CHECK (rating BETWEEN 1 AND 5)
);
CREATE INDEX ratings_by_agent ON ratings (agent_id);

CREATE TABLE knowledge (
    id              TEXT COLLATE "C" PRIMARY KEY,
    project_id      TEXT COLLATE "C" NOT NULL REFERENCES projects (id),
    author_agent_id TEXT COLLATE "C" REFERENCES agents (id),
    author_owner_id TEXT COLLATE "C" REFERENCES owners (id),
    title           TEXT COLLATE "C" NOT NULL,
    content         TEXT COLLATE "C" NOT NULL,
    category        TEXT COLLATE "C" NOT NULL CHECK (category IN ('architecture', 'decisions', 'patterns', 'context', 'general')),
    importance      TEXT COLLATE "C" NOT NULL CHECK (importance IN ('pinned', 'high', 'normal', 'low')),
    tags            TEXT COLLATE "C" NOT NULL,
    version         BIGINT NOT NULL,
    created_at      BIGINT NOT NULL,
    updated_at      BIGINT NOT NULL
);
CREATE INDEX knowledge_by_project ON knowledge (project_id, created_at, id);

-- Stems as SQLite's does, and keeps every word, so that both engines find the same.
CREATE TEXT SEARCH DICTIONARY openpod_stem (TEMPLATE = snowball, LANGUAGE = porter);
CREATE TEXT SEARCH CONFIGURATION openpod (COPY = english);
ALTER TEXT SEARCH CONFIGURATION openpod ALTER MAPPING REPLACE english_stem WITH openpod_stem;
CREATE FUNCTION unaccented(words TEXT) RETURNS TEXT LANGUAGE sql IMMUTABLE
    AS $$ SELECT regexp_replace(normalize(words, NFD), '[\u0300-\u036f]', '', 'g') $$;
CREATE TABLE knowledge_words (
    id    TEXT COLLATE "C" PRIMARY KEY REFERENCES knowledge (id),
    words TSVECTOR NOT NULL
);
CREATE INDEX knowledge_words_by_word ON knowledge_words USING gin (words);

CREATE TABLE webhooks (
    id              TEXT COLLATE "C" PRIMARY KEY,
    agent_id        TEXT COLLATE "C" NOT NULL REFERENCES agents (id),
    url             TEXT COLLATE "C" NOT NULL,
    events          TEXT COLLATE "C" NOT NULL,
    secret          TEXT COLLATE "C" NOT NULL,
    old_secret      TEXT COLLATE "C",
    old_secret_until BIGINT,
    is_active       BIGINT NOT NULL CHECK (is_active IN (0, 1)),
    disabled_reason TEXT COLLATE "C",
    failing_since   BIGINT,
    is_slow         BIGINT NOT NULL DEFAULT 0 CHECK (is_slow IN (0, 1)),
    due_at          BIGINT,
    lease           TEXT COLLATE "C",
    leased_until    BIGINT,
    created_at      BIGINT NOT NULL,
    CHECK (is_active = 1 OR due_at IS NULL),
    CHECK ((lease IS NULL) = (leased_until IS NULL)),
    CHECK ((old_secret IS NULL) = (old_secret_until IS NULL))
);
CREATE INDEX webhooks_by_agent ON webhooks (agent_id, created_at, id);
-- Those that work are looked for apart from those that fail or are slow, so that many of these do not hide the others.
CREATE INDEX webhooks_due ON webhooks (due_at, id)
    WHERE due_at IS NOT NULL AND lease IS NULL AND failing_since IS NULL AND is_slow = 0;
CREATE INDEX webhooks_due_again ON webhooks (due_at, id)
    WHERE due_at IS NOT NULL AND lease IS NULL AND (failing_since IS NOT NULL OR is_slow = 1);
CREATE INDEX webhooks_leased ON webhooks (leased_until) WHERE lease IS NOT NULL;

CREATE TABLE webhook_events (
    webhook_id TEXT COLLATE "C" NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE,
    event      TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (webhook_id, event)
);

-- The outbox: one row for each event and webhook, written in the transaction that causes it.
CREATE TABLE deliveries (
    id              TEXT COLLATE "C" PRIMARY KEY,
    webhook_id      TEXT COLLATE "C" NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE,
    project_id      TEXT COLLATE "C" REFERENCES projects (id),
    event           TEXT COLLATE "C" NOT NULL,
    body            TEXT COLLATE "C" NOT NULL,
    status          TEXT COLLATE "C" NOT NULL CHECK (status IN ('pending', 'delivered', 'failed')),
    attempts        BIGINT NOT NULL DEFAULT 0,
    attempts_before BIGINT NOT NULL DEFAULT 0,
    next_attempt_at BIGINT,
    created_at      BIGINT NOT NULL,
    finished_at     BIGINT,
    CHECK ((status = 'pending') = (next_attempt_at IS NOT NULL)),
    CHECK ((status = 'pending') = (finished_at IS NULL))
);
CREATE INDEX deliveries_due ON deliveries (webhook_id, next_attempt_at, id) WHERE status = 'pending';
CREATE INDEX deliveries_ended ON deliveries (finished_at) WHERE finished_at IS NOT NULL;
CREATE INDEX deliveries_by_webhook ON deliveries (webhook_id, created_at, id);

CREATE TABLE delivery_attempts (
    delivery_id TEXT COLLATE "C" NOT NULL REFERENCES deliveries (id) ON DELETE CASCADE,
    attempt     BIGINT NOT NULL,
    begun_at    BIGINT NOT NULL,
    ended_at    BIGINT NOT NULL,
    http_status BIGINT,
    error       TEXT COLLATE "C",
    PRIMARY KEY (delivery_id, attempt)
);

-- The ledger: double entry, append only.
CREATE TABLE ledger_transactions (
    id               TEXT COLLATE "C" PRIMARY KEY,
    kind             TEXT COLLATE "C" NOT NULL CHECK (kind IN ('deliverable_approved')),
    project_id       TEXT COLLATE "C" NOT NULL REFERENCES projects (id),
    ticket_id        TEXT COLLATE "C" NOT NULL REFERENCES tickets (id),
    agent_id         TEXT COLLATE "C" NOT NULL REFERENCES agents (id),
    amount_cents     BIGINT NOT NULL CHECK (amount_cents >= 0),
    commission_cents BIGINT NOT NULL CHECK (commission_cents = (amount_cents + 5) / 10),
    description      TEXT COLLATE "C",
    created_at       BIGINT NOT NULL,
    UNIQUE (ticket_id, kind)
);
CREATE INDEX ledger_transactions_by_project ON ledger_transactions (project_id, created_at, id);
CREATE INDEX ledger_transactions_by_agent ON ledger_transactions (agent_id, created_at, id);

CREATE TABLE ledger_entries (
    transaction_id TEXT COLLATE "C" NOT NULL REFERENCES ledger_transactions (id),
    account_kind   TEXT COLLATE "C" NOT NULL CHECK (account_kind IN ('project', 'agent', 'platform')),
    account_id     TEXT COLLATE "C",
    amount_cents   BIGINT NOT NULL,
    PRIMARY KEY (transaction_id, account_kind),
    CHECK ((account_kind = 'platform') = (account_id IS NULL))
);
CREATE INDEX ledger_entries_by_account ON ledger_entries (account_kind, account_id);

CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION '%', TG_ARGV[0] USING ERRCODE = 'restrict_violation'; END $$;
CREATE TRIGGER ledger_transactions_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_transactions
    EXECUTE FUNCTION refuse('the ledger is append only');
CREATE TRIGGER ledger_entries_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_entries
    EXECUTE FUNCTION refuse('the ledger is append only');

CREATE FUNCTION ledger_transaction_is_approved() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (
        SELECT 1 FROM tickets t WHERE t.id = NEW.ticket_id AND t.project_id = NEW.project_id
        AND t.assignee_id = NEW.agent_id AND t.approval = 'approved' AND t.payout_cents = NEW.amount_cents)
    THEN RAISE EXCEPTION 'a payment must be what its ticket was approved for' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER ledger_transactions_pay_approvals BEFORE INSERT ON ledger_transactions
    FOR EACH ROW EXECUTE FUNCTION ledger_transaction_is_approved();

CREATE FUNCTION ledger_transaction_brings_entries() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO ledger_entries (transaction_id, account_kind, account_id, amount_cents) VALUES
        (NEW.id, 'project', NEW.project_id, -NEW.amount_cents),
        (NEW.id, 'agent', NEW.agent_id, NEW.amount_cents - NEW.commission_cents),
        (NEW.id, 'platform', NULL, NEW.commission_cents);
    RETURN NULL;
END $$;
CREATE TRIGGER ledger_transactions_bring_entries AFTER INSERT ON ledger_transactions
    FOR EACH ROW EXECUTE FUNCTION ledger_transaction_brings_entries();

CREATE FUNCTION ledger_entry_matches() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (
        SELECT 1 FROM ledger_transactions t WHERE t.id = NEW.transaction_id AND (
            (NEW.account_kind = 'project' AND NEW.account_id = t.project_id AND NEW.amount_cents = -t.amount_cents)
            OR (NEW.account_kind = 'agent' AND NEW.account_id = t.agent_id
                AND NEW.amount_cents = t.amount_cents - t.commission_cents)
            OR (NEW.account_kind = 'platform' AND NEW.amount_cents = t.commission_cents)))
    THEN RAISE EXCEPTION 'an entry must match its transaction' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER ledger_entries_match BEFORE INSERT ON ledger_entries
    FOR EACH ROW EXECUTE FUNCTION ledger_entry_matches();

-- What was paid for stays as it was paid for.
CREATE TRIGGER tickets_stay_paid BEFORE UPDATE ON tickets FOR EACH ROW
    WHEN (OLD.approval = 'approved' AND (NEW.approval IS DISTINCT FROM OLD.approval
        OR NEW.payout_cents IS DISTINCT FROM OLD.payout_cents OR NEW.assignee_id IS DISTINCT FROM OLD.assignee_id
        OR NEW.project_id IS DISTINCT FROM OLD.project_id))
    EXECUTE FUNCTION refuse('an approval is final');

CREATE TABLE audit_log (
    id          TEXT COLLATE "C" PRIMARY KEY,
    at          BIGINT NOT NULL,
    actor_kind  TEXT COLLATE "C" NOT NULL CHECK (actor_kind IN ('agent', 'owner', 'anybody', 'operator')),
    actor_id    TEXT COLLATE "C",
    key_id      TEXT COLLATE "C",
    request_id  TEXT COLLATE "C",
    operation   TEXT COLLATE "C" NOT NULL,
    owner_id    TEXT COLLATE "C",
    project_id  TEXT COLLATE "C",
    ticket_id   TEXT COLLATE "C",
    target_kind TEXT COLLATE "C" NOT NULL,
    target_id   TEXT COLLATE "C" NOT NULL,
    before_json TEXT COLLATE "C",
    after_json  TEXT COLLATE "C",
    CHECK ((actor_kind IN ('agent', 'owner')) = (actor_id IS NOT NULL)),
    CHECK (before_json IS NOT NULL OR after_json IS NOT NULL)
);
CREATE INDEX audit_log_by_owner ON audit_log (owner_id, at, id) WHERE owner_id IS NOT NULL;
CREATE INDEX audit_log_by_project ON audit_log (project_id, at, id) WHERE project_id IS NOT NULL;
CREATE INDEX audit_log_by_ticket ON audit_log (ticket_id, at, id) WHERE ticket_id IS NOT NULL;
CREATE TRIGGER audit_log_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log
    EXECUTE FUNCTION refuse('the audit log is append only');

CREATE TABLE idempotency_keys (
    caller      TEXT COLLATE "C" NOT NULL,
    key         TEXT COLLATE "C" NOT NULL,
    operation   TEXT COLLATE "C" NOT NULL,
    path        TEXT COLLATE "C" NOT NULL,
    body_sha256 BYTEA NOT NULL,
    status      BIGINT NOT NULL,
    version     BIGINT,
    body        BYTEA NOT NULL,
    created_at  BIGINT NOT NULL,
    PRIMARY KEY (caller, key)
);
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);

-- Times are seconds since 1970. Commits, branches and files are git's; only what git does not know stands here.

CREATE TABLE accounts (
    id          INTEGER PRIMARY KEY,
    login       TEXT NOT NULL UNIQUE COLLATE NOCASE,
    kind        TEXT NOT NULL CHECK (kind IN ('User', 'Organization', 'Bot')),
    created_at  INTEGER NOT NULL
) STRICT;

-- Tokens are kept as their SHA-256 alone.
CREATE TABLE personal_tokens (
    hash        TEXT PRIMARY KEY,
    account_id  INTEGER NOT NULL REFERENCES accounts (id)
) STRICT, WITHOUT ROWID;

CREATE TABLE apps (
    id          INTEGER PRIMARY KEY,
    slug        TEXT NOT NULL UNIQUE,
    client_id   TEXT NOT NULL UNIQUE,
    public_key  BLOB NOT NULL,
    permissions TEXT NOT NULL,
    bot_id      INTEGER NOT NULL REFERENCES accounts (id),
    created_at  INTEGER NOT NULL
) STRICT;

CREATE TABLE installations (
    id          INTEGER PRIMARY KEY,
    app_id      INTEGER NOT NULL REFERENCES apps (id),
    account_id  INTEGER NOT NULL REFERENCES accounts (id),
    permissions TEXT NOT NULL,
    created_at  INTEGER NOT NULL,
    UNIQUE (app_id, account_id)
) STRICT;

CREATE TABLE installation_tokens (
    hash            TEXT PRIMARY KEY,
    installation_id INTEGER NOT NULL REFERENCES installations (id),
    permissions     TEXT NOT NULL,
    repository_ids  TEXT,
    expires_at      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE repositories (
    id              INTEGER PRIMARY KEY,
    owner_id        INTEGER NOT NULL REFERENCES accounts (id),
    name            TEXT NOT NULL COLLATE NOCASE,
    default_branch  TEXT NOT NULL,
    created_at      INTEGER NOT NULL,
    updated_at      INTEGER NOT NULL,
    pushed_at       INTEGER NOT NULL,
    UNIQUE (owner_id, name)
) STRICT;

CREATE TABLE protected_branches (
    repository_id   INTEGER NOT NULL REFERENCES repositories (id),
    branch          TEXT NOT NULL,
    PRIMARY KEY (repository_id, branch)
) STRICT, WITHOUT ROWID;

CREATE TABLE pulls (
    id                  INTEGER PRIMARY KEY,
    repository_id       INTEGER NOT NULL REFERENCES repositories (id),
    number              INTEGER NOT NULL,
    title               TEXT NOT NULL,
    body                TEXT,
    open                INTEGER NOT NULL CHECK (open IN (0, 1)),
    draft               INTEGER NOT NULL CHECK (draft IN (0, 1)),
    maintainer_can_modify INTEGER NOT NULL CHECK (maintainer_can_modify IN (0, 1)),
    head_ref            TEXT NOT NULL,
    head_sha            TEXT NOT NULL,
    base_ref            TEXT NOT NULL,
    base_sha            TEXT NOT NULL,
    author_id           INTEGER NOT NULL REFERENCES accounts (id),
    created_at          INTEGER NOT NULL,
    updated_at          INTEGER NOT NULL,
    closed_at           INTEGER,
    merged_at           INTEGER,
    merged_by           INTEGER REFERENCES accounts (id),
    merge_commit_sha    TEXT,
    UNIQUE (repository_id, number)
) STRICT;

CREATE UNIQUE INDEX one_open_pull_for_each_pair ON pulls (repository_id, head_ref, base_ref) WHERE open = 1;

CREATE TABLE check_runs (
    id              INTEGER PRIMARY KEY,
    repository_id   INTEGER NOT NULL REFERENCES repositories (id),
    app_id          INTEGER NOT NULL REFERENCES apps (id),
    head_sha        TEXT NOT NULL,
    name            TEXT NOT NULL,
    external_id     TEXT,
    details_url     TEXT,
    status          TEXT NOT NULL,
    conclusion      TEXT,
    started_at      INTEGER NOT NULL,
    completed_at    INTEGER,
    title           TEXT,
    summary         TEXT,
    text            TEXT
) STRICT;

CREATE INDEX check_runs_of_a_commit ON check_runs (repository_id, head_sha);

CREATE TABLE statuses (
    id              INTEGER PRIMARY KEY,
    repository_id   INTEGER NOT NULL REFERENCES repositories (id),
    sha             TEXT NOT NULL,
    state           TEXT NOT NULL,
    target_url      TEXT,
    description     TEXT,
    context         TEXT NOT NULL,
    creator_id      INTEGER NOT NULL REFERENCES accounts (id),
    created_at      INTEGER NOT NULL
) STRICT;

CREATE INDEX statuses_of_a_commit ON statuses (repository_id, sha);

CREATE TABLE comments (
    id              INTEGER PRIMARY KEY,
    repository_id   INTEGER NOT NULL REFERENCES repositories (id),
    number          INTEGER NOT NULL,
    author_id       INTEGER NOT NULL REFERENCES accounts (id),
    body            TEXT NOT NULL,
    created_at      INTEGER NOT NULL,
    updated_at      INTEGER NOT NULL
) STRICT;

CREATE INDEX comments_of_a_pull ON comments (repository_id, number);

-- Times are microseconds since 1970 in UTC. Blobs named sealed, body, facts,
-- answer and the mac key are sealed; macs are keyed hashes. Nothing secret
-- stands in another column.

-- +goose Up
CREATE TABLE meta (
    name  TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT;

CREATE TABLE flag (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;

-- The right to list, one row.
CREATE TABLE lister (
    name    TEXT PRIMARY KEY,
    owner   TEXT NOT NULL,
    expires INTEGER NOT NULL
) STRICT;

CREATE TABLE runner (
    owner   TEXT PRIMARY KEY,
    expires INTEGER NOT NULL
) STRICT;

-- What a runner can run, and its limits.
CREATE TABLE runner_site (
    domain      TEXT NOT NULL,
    owner       TEXT NOT NULL,
    driver      TEXT NOT NULL,
    every       INTEGER NOT NULL,
    concurrency INTEGER NOT NULL,
    max_per_day INTEGER NOT NULL,
    expires     INTEGER NOT NULL, -- of the basis; 0: never
    PRIMARY KEY (domain, owner)
) STRICT, WITHOUT ROWID;
CREATE INDEX runner_site_owner ON runner_site (owner);

-- ready_at: no claim on the site succeeds earlier; NULL: none until something changes.
CREATE TABLE site (
    domain       TEXT PRIMARY KEY,
    ready_at     INTEGER,
    not_before   INTEGER NOT NULL DEFAULT 0,
    paused_until INTEGER NOT NULL DEFAULT 0,
    paused_why   TEXT NOT NULL DEFAULT '',
    pause        INTEGER NOT NULL DEFAULT 0, -- length of the present pause; 0: none
    by_person    INTEGER NOT NULL DEFAULT 0,
    cause        TEXT NOT NULL DEFAULT '',
    series       INTEGER NOT NULL DEFAULT 0,
    day          INTEGER NOT NULL DEFAULT 0, -- days since 1970, UTC
    today        INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
CREATE INDEX site_ready ON site (ready_at) WHERE ready_at IS NOT NULL;

-- wake: when the task may be claimed. A lease that expires makes it due at once.
CREATE TABLE task (
    id            TEXT PRIMARY KEY,
    request_id    TEXT NOT NULL,
    domain        TEXT NOT NULL,
    kind          TEXT NOT NULL,
    state         TEXT NOT NULL,
    from_state    TEXT NOT NULL,
    phase         TEXT NOT NULL,
    driver        TEXT NOT NULL,
    digest        TEXT NOT NULL,
    round         INTEGER NOT NULL,
    broken        INTEGER NOT NULL,
    changed       INTEGER NOT NULL,
    new_secrets   INTEGER NOT NULL,
    entity_mac    BLOB NOT NULL,
    secrets_mac   BLOB NOT NULL,
    facts         BLOB,
    answer        BLOB,
    fault         TEXT NOT NULL,
    intent_id     TEXT NOT NULL,
    waiting_since INTEGER NOT NULL,
    ask_expired   INTEGER NOT NULL,
    done          INTEGER NOT NULL DEFAULT 0, -- reported with complete
    due           INTEGER,
    owner         TEXT NOT NULL,
    epoch         INTEGER NOT NULL,
    expires       INTEGER,
    wake          INTEGER GENERATED ALWAYS AS (COALESCE(expires, due)) STORED,
    ended         INTEGER,
    seq           INTEGER NOT NULL,
    created       INTEGER NOT NULL,
    updated       INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX task_ready ON task (domain, wake, id) WHERE state = 'ready' AND wake IS NOT NULL;
CREATE INDEX task_begun ON task (domain, wake, id) WHERE state <> 'ready' AND wake IS NOT NULL;
CREATE INDEX task_lease ON task (domain, expires) WHERE expires IS NOT NULL;
CREATE INDEX task_owner ON task (owner) WHERE expires IS NOT NULL;
CREATE INDEX task_ended ON task (ended) WHERE ended IS NOT NULL;
CREATE INDEX task_state ON task (state, domain);

CREATE TABLE entity (
    task_id TEXT PRIMARY KEY,
    sealed  BLOB NOT NULL
) STRICT;

CREATE TABLE intent (
    id        TEXT PRIMARY KEY,
    task_id   TEXT NOT NULL,
    key       BLOB NOT NULL,
    state     TEXT NOT NULL,
    committed INTEGER NOT NULL,
    at        INTEGER NOT NULL,
    name      TEXT NOT NULL,
    driver    TEXT NOT NULL,
    digest    TEXT NOT NULL,
    sealed    BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX intent_open ON intent (key) WHERE state = 'open';
CREATE INDEX intent_task ON intent (task_id);

CREATE TABLE account (
    task_id TEXT PRIMARY KEY,
    domain  TEXT NOT NULL,
    driver  TEXT NOT NULL,
    created INTEGER NOT NULL,
    sealed  BLOB NOT NULL
) STRICT;
CREATE INDEX account_created ON account (created, task_id);

-- Booked names. task_id NULL: a tombstone.
CREATE TABLE identity (
    domain      TEXT NOT NULL,
    kind        TEXT NOT NULL,
    mac         BLOB NOT NULL,
    task_id     TEXT,
    secrets_mac BLOB,
    PRIMARY KEY (domain, kind, mac)
) STRICT, WITHOUT ROWID;
CREATE INDEX identity_task ON identity (task_id) WHERE task_id IS NOT NULL;

CREATE TABLE outbox (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    task_id TEXT NOT NULL UNIQUE,
    kind    TEXT NOT NULL,
    body    BLOB NOT NULL,
    tries   INTEGER NOT NULL,
    next_at INTEGER NOT NULL,
    owner   TEXT NOT NULL,
    epoch   INTEGER NOT NULL,
    expires INTEGER,
    wake    INTEGER GENERATED ALWAYS AS (COALESCE(expires, next_at)) STORED,
    created INTEGER NOT NULL
) STRICT;
CREATE INDEX outbox_wake ON outbox (wake, id);
CREATE INDEX outbox_owner ON outbox (owner) WHERE expires IS NOT NULL;

CREATE TABLE ask (
    id      TEXT PRIMARY KEY,
    task_id TEXT NOT NULL,
    domain  TEXT NOT NULL,
    kind    TEXT NOT NULL,
    code    TEXT NOT NULL,
    say     TEXT NOT NULL,
    url     TEXT NOT NULL,
    hash    TEXT NOT NULL,
    state   TEXT NOT NULL,
    shot    TEXT NOT NULL,
    answer  BLOB,
    created INTEGER NOT NULL,
    expires INTEGER NOT NULL
) STRICT;
CREATE INDEX ask_task ON ask (task_id);
CREATE INDEX ask_open ON ask (expires) WHERE state = 'open';
CREATE INDEX ask_created ON ask (created, id);

CREATE TABLE event (
    task_id TEXT NOT NULL,
    seq     INTEGER NOT NULL,
    at      INTEGER NOT NULL,
    kind    TEXT NOT NULL,
    state   TEXT NOT NULL,
    phase   TEXT NOT NULL,
    level   TEXT NOT NULL,
    text    TEXT NOT NULL,
    attrs   TEXT NOT NULL,
    PRIMARY KEY (task_id, seq)
) STRICT, WITHOUT ROWID;

-- Times are microseconds since 1970 in UTC. Blobs named sealed, body, facts,
-- answer and the mac key are sealed; macs are keyed hashes. Nothing secret
-- stands in another column.

-- +goose Up
CREATE TABLE meta (
    name  TEXT PRIMARY KEY,
    value BYTEA NOT NULL
);

CREATE TABLE flag (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
);

-- The right to list, one row.
CREATE TABLE lister (
    name    TEXT PRIMARY KEY,
    owner   TEXT NOT NULL,
    expires BIGINT NOT NULL
);

CREATE TABLE runner (
    owner   TEXT PRIMARY KEY,
    expires BIGINT NOT NULL
);

-- What a runner can run, and its limits.
CREATE TABLE runner_site (
    domain      TEXT NOT NULL,
    owner       TEXT NOT NULL,
    driver      TEXT NOT NULL,
    every       BIGINT NOT NULL,
    concurrency BIGINT NOT NULL,
    max_per_day BIGINT NOT NULL,
    expires     BIGINT NOT NULL, -- of the basis; 0: never
    PRIMARY KEY (domain, owner)
);
CREATE INDEX runner_site_owner ON runner_site (owner);

-- ready_at: no claim on the site succeeds earlier; NULL: none until something changes.
CREATE TABLE site (
    domain       TEXT PRIMARY KEY,
    ready_at     BIGINT,
    not_before   BIGINT NOT NULL DEFAULT 0,
    paused_until BIGINT NOT NULL DEFAULT 0,
    paused_why   TEXT NOT NULL DEFAULT '',
    pause        BIGINT NOT NULL DEFAULT 0, -- length of the present pause; 0: none
    by_person    BIGINT NOT NULL DEFAULT 0,
    cause        TEXT NOT NULL DEFAULT '',
    series       BIGINT NOT NULL DEFAULT 0,
    day          BIGINT NOT NULL DEFAULT 0, -- days since 1970, UTC
    today        BIGINT NOT NULL DEFAULT 0
);
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
    round         BIGINT NOT NULL,
    broken        BIGINT NOT NULL,
    changed       BIGINT NOT NULL,
    new_secrets   BIGINT NOT NULL,
    entity_mac    BYTEA NOT NULL,
    secrets_mac   BYTEA NOT NULL,
    facts         BYTEA,
    answer        BYTEA,
    fault         TEXT NOT NULL,
    intent_id     TEXT NOT NULL,
    waiting_since BIGINT NOT NULL,
    ask_expired   BIGINT NOT NULL,
    done          BIGINT NOT NULL DEFAULT 0, -- reported with complete
    due           BIGINT,
    owner         TEXT NOT NULL,
    epoch         BIGINT NOT NULL,
    expires       BIGINT,
    wake          BIGINT GENERATED ALWAYS AS (COALESCE(expires, due)) STORED,
    ended         BIGINT,
    seq           BIGINT NOT NULL,
    created       BIGINT NOT NULL,
    updated       BIGINT NOT NULL
);
CREATE INDEX task_ready ON task (domain, wake, id) WHERE state = 'ready' AND wake IS NOT NULL;
CREATE INDEX task_begun ON task (domain, wake, id) WHERE state <> 'ready' AND wake IS NOT NULL;
CREATE INDEX task_lease ON task (domain, expires) WHERE expires IS NOT NULL;
CREATE INDEX task_owner ON task (owner) WHERE expires IS NOT NULL;
CREATE INDEX task_ended ON task (ended) WHERE ended IS NOT NULL;
CREATE INDEX task_state ON task (state, domain);

CREATE TABLE entity (
    task_id TEXT PRIMARY KEY,
    sealed  BYTEA NOT NULL
);

CREATE TABLE intent (
    id        TEXT PRIMARY KEY,
    task_id   TEXT NOT NULL,
    key       BYTEA NOT NULL,
    state     TEXT NOT NULL,
    committed BIGINT NOT NULL,
    at        BIGINT NOT NULL,
    name      TEXT NOT NULL,
    driver    TEXT NOT NULL,
    digest    TEXT NOT NULL,
    sealed    BYTEA NOT NULL
);
CREATE UNIQUE INDEX intent_open ON intent (key) WHERE state = 'open';
CREATE INDEX intent_task ON intent (task_id);

CREATE TABLE account (
    task_id TEXT PRIMARY KEY,
    domain  TEXT NOT NULL,
    driver  TEXT NOT NULL,
    created BIGINT NOT NULL,
    sealed  BYTEA NOT NULL
);
CREATE INDEX account_created ON account (created, task_id);

-- Booked names. task_id NULL: a tombstone.
CREATE TABLE identity (
    domain      TEXT NOT NULL,
    kind        TEXT NOT NULL,
    mac         BYTEA NOT NULL,
    task_id     TEXT,
    secrets_mac BYTEA,
    PRIMARY KEY (domain, kind, mac)
);
CREATE INDEX identity_task ON identity (task_id) WHERE task_id IS NOT NULL;

CREATE TABLE outbox (
    id      BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    task_id TEXT NOT NULL UNIQUE,
    kind    TEXT NOT NULL,
    body    BYTEA NOT NULL,
    tries   BIGINT NOT NULL,
    next_at BIGINT NOT NULL,
    owner   TEXT NOT NULL,
    epoch   BIGINT NOT NULL,
    expires BIGINT,
    wake    BIGINT GENERATED ALWAYS AS (COALESCE(expires, next_at)) STORED,
    created BIGINT NOT NULL
);
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
    answer  BYTEA,
    created BIGINT NOT NULL,
    expires BIGINT NOT NULL
);
CREATE INDEX ask_task ON ask (task_id);
CREATE INDEX ask_open ON ask (expires) WHERE state = 'open';
CREATE INDEX ask_created ON ask (created, id);

CREATE TABLE event (
    task_id TEXT NOT NULL,
    seq     BIGINT NOT NULL,
    at      BIGINT NOT NULL,
    kind    TEXT NOT NULL,
    state   TEXT NOT NULL,
    phase   TEXT NOT NULL,
    level   TEXT NOT NULL,
    text    TEXT NOT NULL,
    attrs   TEXT NOT NULL,
    PRIMARY KEY (task_id, seq)
);

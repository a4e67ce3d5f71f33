-- Bulk calls: files of users, the users, and the window between two calls.
-- A moment is the microseconds since the start of the machine named by boot.

-- +goose Up
CREATE TABLE bulk_site (
    domain      TEXT PRIMARY KEY,
    calls       BIGINT NOT NULL DEFAULT 0,
    calling     TEXT NOT NULL DEFAULT '', -- the batch under way
    every       BIGINT NOT NULL DEFAULT 0,
    timeout     BIGINT NOT NULL DEFAULT 0,
    retry_after BIGINT NOT NULL DEFAULT 0
);

-- When a boot saw the present call begin or end. It is never earlier than that was.
CREATE TABLE bulk_seen (
    domain TEXT NOT NULL,
    boot   TEXT NOT NULL,
    calls  BIGINT NOT NULL,
    ended  BIGINT NOT NULL,
    moment BIGINT NOT NULL,
    PRIMARY KEY (domain, boot)
);

CREATE TABLE bulk_batch (
    id      TEXT PRIMARY KEY,
    domain  TEXT NOT NULL,
    call    BIGINT NOT NULL,
    size    BIGINT NOT NULL,
    hash    TEXT NOT NULL,
    how     TEXT NOT NULL,
    message TEXT NOT NULL,
    began   BIGINT NOT NULL,
    ended   BIGINT NOT NULL
);

CREATE TABLE bulk_import (
    id      TEXT PRIMARY KEY,
    domain  TEXT NOT NULL,
    name    TEXT NOT NULL,
    mac     BYTEA NOT NULL, -- of the file's bytes
    size    BIGINT NOT NULL,
    batch   BIGINT NOT NULL,
    created BIGINT NOT NULL,
    kept    BIGINT NOT NULL, -- 0 once its users were deleted
    sealed  BYTEA NOT NULL
);
CREATE UNIQUE INDEX bulk_import_file ON bulk_import (domain, mac);
CREATE INDEX bulk_import_created ON bulk_import (created) WHERE kept = 1;

CREATE TABLE bulk_row (
    id           TEXT PRIMARY KEY,
    domain       TEXT NOT NULL,
    import_id    TEXT NOT NULL,
    task_id      TEXT NOT NULL,
    num          BIGINT NOT NULL,
    line         BIGINT NOT NULL,
    state        TEXT NOT NULL,
    batch        TEXT NOT NULL,
    batch_size   BIGINT NOT NULL,
    place        BIGINT NOT NULL, -- in the body of its batch
    sends        BIGINT NOT NULL,
    uncertain    BIGINT NOT NULL,
    user_id      TEXT NOT NULL,
    message      TEXT NOT NULL,
    email_mac    BYTEA NOT NULL,
    username_mac BYTEA NOT NULL,
    seq          BIGINT NOT NULL,
    updated      BIGINT NOT NULL,
    sealed       BYTEA
);
CREATE INDEX bulk_row_open ON bulk_row (domain, seq, id) WHERE state IN ('waiting', 'uncertain');
CREATE INDEX bulk_row_import ON bulk_row (import_id, num, state);
CREATE INDEX bulk_row_batch ON bulk_row (batch, place);
CREATE INDEX bulk_row_email ON bulk_row (domain, email_mac);
CREATE INDEX bulk_row_username ON bulk_row (domain, username_mac);
CREATE INDEX bulk_row_task ON bulk_row (task_id) WHERE task_id <> '';

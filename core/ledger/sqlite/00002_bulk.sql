-- Bulk calls: files of users, the users, and the window between two calls.
-- A moment is the microseconds since the start of the machine named by boot.

-- +goose Up
CREATE TABLE bulk_site (
    domain      TEXT PRIMARY KEY,
    calls       INTEGER NOT NULL DEFAULT 0,
    calling     TEXT NOT NULL DEFAULT '', -- the batch under way
    every       INTEGER NOT NULL DEFAULT 0,
    timeout     INTEGER NOT NULL DEFAULT 0,
    retry_after INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

-- When a boot saw the present call begin or end. It is never earlier than that was.
CREATE TABLE bulk_seen (
    domain TEXT NOT NULL,
    boot   TEXT NOT NULL,
    calls  INTEGER NOT NULL,
    ended  INTEGER NOT NULL,
    moment INTEGER NOT NULL,
    PRIMARY KEY (domain, boot)
) STRICT, WITHOUT ROWID;

CREATE TABLE bulk_batch (
    id      TEXT PRIMARY KEY,
    domain  TEXT NOT NULL,
    call    INTEGER NOT NULL,
    size    INTEGER NOT NULL,
    hash    TEXT NOT NULL,
    how     TEXT NOT NULL,
    message TEXT NOT NULL,
    began   INTEGER NOT NULL,
    ended   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE bulk_import (
    id      TEXT PRIMARY KEY,
    domain  TEXT NOT NULL,
    name    TEXT NOT NULL,
    mac     BLOB NOT NULL, -- of the file's bytes
    size    INTEGER NOT NULL,
    batch   INTEGER NOT NULL,
    created INTEGER NOT NULL,
    kept    INTEGER NOT NULL, -- 0 once its users were deleted
    sealed  BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX bulk_import_file ON bulk_import (domain, mac);
CREATE INDEX bulk_import_created ON bulk_import (created) WHERE kept = 1;

CREATE TABLE bulk_row (
    id           TEXT PRIMARY KEY,
    domain       TEXT NOT NULL,
    import_id    TEXT NOT NULL,
    task_id      TEXT NOT NULL,
    num          INTEGER NOT NULL,
    line         INTEGER NOT NULL,
    state        TEXT NOT NULL,
    batch        TEXT NOT NULL,
    batch_size   INTEGER NOT NULL,
    place        INTEGER NOT NULL, -- in the body of its batch
    sends        INTEGER NOT NULL,
    uncertain    INTEGER NOT NULL,
    user_id      TEXT NOT NULL,
    message      TEXT NOT NULL,
    email_mac    BLOB NOT NULL,
    username_mac BLOB NOT NULL,
    seq          INTEGER NOT NULL,
    updated      INTEGER NOT NULL,
    sealed       BLOB
) STRICT, WITHOUT ROWID;
CREATE INDEX bulk_row_open ON bulk_row (domain, seq, id) WHERE state IN ('waiting', 'uncertain');
CREATE INDEX bulk_row_import ON bulk_row (import_id, num, state);
CREATE INDEX bulk_row_batch ON bulk_row (batch, place);
CREATE INDEX bulk_row_email ON bulk_row (domain, email_mac);
CREATE INDEX bulk_row_username ON bulk_row (domain, username_mac);
CREATE INDEX bulk_row_task ON bulk_row (task_id) WHERE task_id <> '';

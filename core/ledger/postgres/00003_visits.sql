-- Small calls are judged together, and a driver's visits to a bulk site are as
-- far apart as its pace says, whoever makes them.

-- +goose Up
ALTER TABLE bulk_site ADD COLUMN users BIGINT NOT NULL DEFAULT 0; -- answered and not judged yet
ALTER TABLE bulk_site ADD COLUMN failed BIGINT NOT NULL DEFAULT 0; -- of those, refused
ALTER TABLE bulk_site ADD COLUMN visited BIGINT NOT NULL DEFAULT 0; -- when the last visit of a driver began
ALTER TABLE bulk_site ADD COLUMN visit_every BIGINT NOT NULL DEFAULT 0;

-- Visits under way: those whose task still has the lease.
CREATE TABLE bulk_visit (
    domain  TEXT NOT NULL,
    task_id TEXT NOT NULL,
    epoch   BIGINT NOT NULL,
    PRIMARY KEY (domain, task_id)
);

-- Tasks of a bulk site that a browser is for.
CREATE INDEX task_visit ON task (domain, wake, id) WHERE wake IS NOT NULL AND (kind = 'connect' AND state IN
    ('ready', 'starting', 'prepared', 'confirmed', 'waiting', 'held', 'parked') OR state = 'confirmed' OR from_state = 'confirmed');

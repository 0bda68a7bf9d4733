-- Who is charging, charges whose outcome is unknown, money that must go back, and the nightly comparison.

CREATE TABLE daemons (
    id         uuid PRIMARY KEY,
    node       text NOT NULL,
    app        text NOT NULL,
    started_at timestamptz NOT NULL DEFAULT now(),
    beat_at    timestamptz NOT NULL DEFAULT now(),
    ended_at   timestamptz
);
COMMENT ON TABLE daemons IS 'every run of `saldo serve`: it writes beat_at every few seconds';
COMMENT ON COLUMN daemons.app IS 'its application at the PBX: one program at a time has it';
CREATE INDEX daemons_running ON daemons (node, app) WHERE ended_at IS NULL;

-- Who ended, or was not heard of for 15 seconds: what they had begun may be taken over.
CREATE VIEW daemons_gone AS
SELECT id FROM daemons WHERE ended_at IS NOT NULL OR beat_at < now() - interval '15 seconds';

ALTER TABLE attempts ADD COLUMN daemon uuid;
COMMENT ON COLUMN attempts.daemon IS 'who opened and charges it';
CREATE INDEX attempts_created ON attempts (created_at) WHERE state = 'created';

-- A row for every attempt that was ever unknown: when it is looked at again, and who looks at it now.
CREATE TABLE doubts (
    attempt_id    uuid PRIMARY KEY REFERENCES attempts,
    since         timestamptz NOT NULL DEFAULT now(),
    looks         int NOT NULL DEFAULT 0,
    misses        int NOT NULL DEFAULT 0,
    empty         int NOT NULL DEFAULT 0,
    look_at       timestamptz NOT NULL DEFAULT now(),
    claimed_by    uuid,
    claimed_until timestamptz,
    last_word     cardless_text,
    needs_person  boolean NOT NULL DEFAULT false,
    resolved_at   timestamptz
);
COMMENT ON COLUMN doubts.looks IS 'so often the gateway answered';
COMMENT ON COLUMN doubts.misses IS 'so often in a row it did not';
COMMENT ON COLUMN doubts.empty IS 'so many of the looks found no transaction';
CREATE INDEX doubts_open ON doubts (look_at) WHERE resolved_at IS NULL;
INSERT INTO doubts (attempt_id, since)
SELECT id, coalesce(charging_at, created_at) FROM attempts WHERE state = 'unknown';

-- Transactions of the gateway that took money nobody was told of; each is taken back once.
CREATE TABLE strays (
    transaction_id cardless_id PRIMARY KEY,
    attempt_id     uuid NOT NULL REFERENCES attempts,
    why            text NOT NULL CHECK (why IN ('told-not-charged', 'second-capture')),
    found_at       timestamptz NOT NULL DEFAULT now(),
    tries          int NOT NULL DEFAULT 0,
    look_at        timestamptz NOT NULL DEFAULT now(),
    claimed_by     uuid,
    claimed_until  timestamptz,
    last_word      cardless_text,
    undone         text CHECK (undone IN ('voided', 'refunded')),
    undone_at      timestamptz,
    CHECK ((undone IS NULL) = (undone_at IS NULL))
);
CREATE INDEX strays_open ON strays (look_at) WHERE undone IS NULL;
CREATE INDEX strays_of_attempt ON strays (attempt_id);

-- The comparison of both ledgers: one node a night.
CREATE TABLE comparisons (
    night       date PRIMARY KEY,
    claimed_by  uuid NOT NULL,
    began_at    timestamptz NOT NULL DEFAULT now(),
    ended_at    timestamptz,
    compared    int,
    mended      int,
    left_open   int
);
COMMENT ON COLUMN comparisons.left_open IS 'differences that a person must look at';

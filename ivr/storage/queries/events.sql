-- The outbox: what happened and is to be told.

-- name: tell
-- Keep several messages at once; a trigger wakes who delivers them.
INSERT INTO events (topic, kind, attempt_id, call_id, payload, address, until)
SELECT topic, kind, attempt_id, call_id, payload::jsonb, address, until
FROM unnest($1::text[], $2::text[], $3::uuid[], $4::text[], $5::text[], $6::text[],
            $7::timestamptz[])
    AS message (topic, kind, attempt_id, call_id, payload, address, until)

-- name: recent_events
-- One page of events, newest first, before the cursor $1; of one call if $2 is given.
SELECT id, topic, kind, attempt_id, call_id, payload, created_at, planned_at
FROM events
WHERE ($1::bigint IS NULL OR id < $1) AND ($2::text IS NULL OR call_id = $2)
ORDER BY id DESC
LIMIT $3::int

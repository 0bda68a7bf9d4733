-- The outbox: what happened and is to be told.

-- name: events_waiting
-- The oldest events of one topic that nobody has delivered yet.
SELECT id, topic, kind, attempt_id, call_id, payload, created_at, delivered_at
FROM events
WHERE topic = $1::text AND delivered_at IS NULL
ORDER BY id
LIMIT $2::int

-- name: event_delivered
-- Delivered; the first time stays.
UPDATE events SET delivered_at = now() WHERE id = $1::bigint AND delivered_at IS NULL

-- name: recent_events
-- One page of events, newest first, before the cursor $1; of one call if $2 is given.
SELECT id, topic, kind, attempt_id, call_id, payload, created_at, delivered_at
FROM events
WHERE ($1::bigint IS NULL OR id < $1) AND ($2::text IS NULL OR call_id = $2)
ORDER BY id DESC
LIMIT $3::int

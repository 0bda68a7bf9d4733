-- Captures with an agent, beside their rows in captures.

-- name: open_assisted_capture
-- Keep what is to be collected, and with whom, under a key that nobody used before.
WITH fresh AS (
    SELECT WHERE NOT EXISTS (SELECT FROM assisted_captures WHERE request_key = $7::text)
), opened AS (
    INSERT INTO captures (id, call_id, language, fields, brands, slow)
    SELECT $1::uuid, $2::text, $3::text, $4::text[], $5::text[], $6::boolean FROM fresh
    RETURNING id
)
INSERT INTO assisted_captures (capture_id, request_key, digest, daemon, talk, attempt_id, fields)
SELECT id, $7::text, $8::text, $9::text, $10::jsonb, $11::uuid, $12::jsonb FROM opened
RETURNING capture_id

-- name: assisted_capture_by_id
-- One, as it is now.
SELECT now.*, captures.card_hash
FROM assisted_captures_now AS now JOIN captures USING (id)
WHERE now.id = $1::uuid

-- name: assisted_capture_by_key
-- The one that was asked for with this key.
SELECT now.*, captures.card_hash
FROM assisted_captures_now AS now JOIN captures USING (id)
WHERE now.request_key = $1::text

-- name: unfinished_assisted_captures
-- Those that the daemon $1 has not finished: open, or with an attempt that nobody charged or gave
-- up; and which of them ended no more than $2 seconds ago.
SELECT now.*, captures.card_hash,
       now.closed_at > now() - make_interval(secs => $2::double precision) AS has_just_ended
FROM assisted_captures_now AS now JOIN captures USING (id)
WHERE now.daemon = $1::text AND (now.closed_at IS NULL OR now.state = 'created')
ORDER BY now.opened_at

-- name: keep_capture_fields
-- How far each field is.
UPDATE assisted_captures SET fields = $2::jsonb WHERE capture_id = $1::uuid

-- name: forget_capture_token
-- No charge will take it any more.
UPDATE captures SET token = NULL WHERE id = $1::uuid AND token IS NOT NULL

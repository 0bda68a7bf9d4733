-- Where webhooks go.

-- name: add_webhook_endpoint
-- A new one; from now on. No row for a key ($5) that was used.
INSERT INTO webhook_endpoints (id, url, kinds, secret, request_key)
VALUES ($1::uuid, $2::text, $3::text[], $4::text, $5::text)
ON CONFLICT (request_key) DO NOTHING
RETURNING *

-- name: webhook_endpoint_of_key
-- The one that was asked for with a key, also if it was deleted since.
SELECT * FROM webhook_endpoints WHERE request_key = $1::text

-- name: webhook_endpoints
-- All that were not deleted, oldest first.
SELECT * FROM webhook_endpoints WHERE state <> 'deleted' ORDER BY created_at, id

-- name: rotate_webhook_secret
-- A new secret; the one before signs too for $3 seconds. No row for the key ($4) that the last one
-- was asked for with: else the one before, which receivers still know, would be forgotten.
UPDATE webhook_endpoints
SET previous_secret = secret, secret = $2::text, rotation_key = $4::text,
    previous_until = now() + make_interval(secs => $3::double precision)
WHERE id = $1::uuid AND state <> 'deleted' AND rotation_key IS DISTINCT FROM $4::text
RETURNING *

-- name: rotated_webhook_endpoint
-- One whose last new secret was asked for with this key.
SELECT * FROM webhook_endpoints
WHERE id = $1::uuid AND state <> 'deleted' AND rotation_key = $2::text

-- name: enable_webhook_endpoint
-- One that was disabled gets webhooks again, from now on. No row for the key ($2) of the last time:
-- what has disabled it since would be forgotten.
UPDATE webhook_endpoints SET state = 'enabled', why = NULL, enabling_key = $2::text
WHERE id = $1::uuid AND state <> 'deleted' AND enabling_key IS DISTINCT FROM $2::text
RETURNING *

-- name: enabled_webhook_endpoint
-- One that was enabled with this key the last time.
SELECT * FROM webhook_endpoints
WHERE id = $1::uuid AND state <> 'deleted' AND enabling_key = $2::text

-- name: close_webhook_endpoint
-- To disabled or deleted, with the reason; what waits for it will not get there.
WITH closed AS (
    UPDATE webhook_endpoints SET state = $2::text, why = $3::text
    WHERE id = $1::uuid AND state <> 'deleted'
    RETURNING id
), left_over AS (
    UPDATE deliveries SET state = 'dead', error = $3::text, claim = NULL, ended_at = now()
    FROM closed WHERE deliveries.endpoint_id = closed.id AND deliveries.state = 'waiting'
)
SELECT id FROM closed

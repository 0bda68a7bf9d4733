-- Who is running.

-- name: begin_daemon
-- A daemon begins; whatever else ran here under the same name is taken to have ended.
WITH ended AS (
    UPDATE daemons SET ended_at = now()
    WHERE node = $2::text AND app = $3::text AND id <> $1::uuid AND ended_at IS NULL
)
INSERT INTO daemons (id, node, app) VALUES ($1::uuid, $2::text, $3::text)
ON CONFLICT (id) DO UPDATE SET beat_at = now()

-- name: daemon_beats
-- It is alive, whatever others took it for, and also in a database that was restored meanwhile.
INSERT INTO daemons (id, node, app) VALUES ($1::uuid, $2::text, $3::text)
ON CONFLICT (id) DO UPDATE SET beat_at = now(), ended_at = NULL

-- name: daemon_ends
-- It charges nothing any more.
UPDATE daemons SET ended_at = now() WHERE id = $1::uuid AND ended_at IS NULL

-- One record a telephone call.

-- name: call_arrived
-- The telephone rings; the same call again changes nothing.
INSERT INTO calls (id, channel_id, sip_call_id, caller, dialled, node, arrived_at)
VALUES ($1::text, $2::text, $3::text, $4::text, $5::text, $6::text, $7::timestamptz)
ON CONFLICT (id) DO NOTHING

-- name: call_ended
-- How it ended; the first ending stays. A call whose arrival could not be kept gets a record all
-- the same. Tokens that no charge took are forgotten.
WITH forgotten AS (
    UPDATE captures SET token = NULL WHERE call_id = $1::text AND token IS NOT NULL
)
INSERT INTO calls (id, channel_id, sip_call_id, dialled, node, arrived_at,
                   outcome, language, customer_id, ended_at, trail)
VALUES ($1::text, '', '', '', '', $5::timestamptz,
        $2::text, $3::text, $4::bigint, $5::timestamptz, $6::jsonb)
ON CONFLICT (id) DO UPDATE
SET outcome = EXCLUDED.outcome, language = EXCLUDED.language,
    customer_id = EXCLUDED.customer_id, ended_at = EXCLUDED.ended_at, trail = EXCLUDED.trail
WHERE calls.ended_at IS NULL

-- name: close_left_calls
-- End the calls whose daemon did not live to write their end, $1 seconds after they began: as what
-- became of their money. No token of that age is kept either, whatever became of its call.
WITH forgotten AS (
    UPDATE captures SET token = NULL
    WHERE token IS NOT NULL AND opened_at < now() - make_interval(secs => $1::double precision)
)
UPDATE calls
SET ended_at = now(),
    outcome = CASE
        WHEN EXISTS (SELECT FROM attempts WHERE call_id = calls.id AND state = 'captured')
            THEN 'paid'
        WHEN EXISTS (SELECT FROM attempts
                     WHERE call_id = calls.id AND state IN ('charging', 'unknown'))
            THEN 'confirming'
        ELSE 'failed'
    END,
    trail = '["its end was not written: the daemon that held it ended first"]'
WHERE ended_at IS NULL AND arrived_at < now() - make_interval(secs => $1::double precision)
RETURNING id

-- name: recent_calls
-- One page of calls, newest first, before the cursor $1; those of one SIP Call-ID if $2 is given.
SELECT seq, id, channel_id, sip_call_id, caller, dialled, node, arrived_at,
       outcome, language, customer_id, ended_at, trail
FROM calls
WHERE ($1::bigint IS NULL OR seq < $1) AND ($2::text IS NULL OR sip_call_id = $2)
ORDER BY seq DESC
LIMIT $3::int

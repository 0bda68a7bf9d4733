-- Charges whose outcome is unknown, and money that must go back.

-- name: abandon_charges
-- Charges whose daemon is gone, or that began longer ago than any charge takes ($1 seconds): the
-- gateway may have taken the money. A daemon that is only slow may still write what it knows.
WITH gone AS (
    UPDATE attempts SET state = 'unknown', reason = 'the process that charged it ended first'
    WHERE state = 'charging' AND (
        daemon IN (SELECT id FROM daemons_gone)
        OR charging_at < now() - interval '15 seconds'
           AND daemon IS NOT NULL AND NOT EXISTS (SELECT FROM daemons WHERE id = daemon)
        OR charging_at < now() - make_interval(secs => $1::double precision)
    )
    RETURNING id, call_id
), doubted AS (
    INSERT INTO doubts (attempt_id) SELECT id FROM gone ON CONFLICT DO NOTHING
), told AS (
    INSERT INTO events (topic, kind, attempt_id, call_id, payload)
    SELECT 'webhook', 'payment.in-doubt', id, call_id, jsonb_build_object('payment', id)
    FROM gone ORDER BY id
)
SELECT id FROM gone

-- name: cancel_left_attempts
-- Attempts that were opened and never charged, by a daemon that is gone or more than a day ago. Both
-- only after $1 seconds: the next daemon may take up a capture with an agent.
UPDATE attempts SET state = 'canceled', ended_at = now(), reason = 'left behind'
WHERE state = 'created' AND created_at < now() - make_interval(secs => $1::double precision)
  AND (daemon IS NULL OR daemon IN (SELECT id FROM daemons_gone)
       OR created_at < now() - interval '1 day')
RETURNING id

-- name: claim_doubts
-- Up to $2 that are due, for the daemon $1 and for $3 seconds; sooner free again if it dies. What it
-- had claimed and does not have in hand ($4) it lost for a while with the database.
WITH due AS (
    SELECT attempt_id FROM doubts
    WHERE resolved_at IS NULL AND look_at <= now()
      AND (claimed_by IS NULL OR claimed_until < now()
           OR claimed_by = $1::uuid AND attempt_id <> ALL ($4::uuid[])
           OR claimed_by IN (SELECT id FROM daemons_gone))
    ORDER BY look_at
    LIMIT $2::int
    FOR UPDATE SKIP LOCKED
), claimed AS (
    UPDATE doubts
    SET claimed_by = $1::uuid,
        claimed_until = now() + make_interval(secs => $3::double precision)
    FROM due
    WHERE doubts.attempt_id = due.attempt_id
    RETURNING doubts.attempt_id, doubts.since, doubts.looks, doubts.misses, doubts.empty,
              doubts.needs_person
)
SELECT attempts.id, attempts.order_id, attempts.customer_id, attempts.call_id, attempts.amount,
       attempts.currency, attempts.fee, attempts.method, attempts.state,
       parts.invoice_ids, parts.amounts,
       claimed.looks, claimed.misses, claimed.empty, claimed.needs_person,
       extract(epoch FROM now() - claimed.since)::double precision AS doubted_seconds,
       extract(epoch FROM now() - coalesce(attempts.charging_at, attempts.created_at))
           ::double precision AS charged_seconds
FROM claimed
JOIN attempts ON attempts.id = claimed.attempt_id
JOIN LATERAL (
    SELECT array_agg(invoice_id ORDER BY invoice_id) AS invoice_ids,
           array_agg(allocations.amount ORDER BY invoice_id) AS amounts
    FROM allocations WHERE allocations.attempt_id = attempts.id
) AS parts ON true
ORDER BY claimed.since

-- name: doubt_looked_at
-- The daemon $2 looked, and looks again after a while; nothing changes if it lost its claim.
UPDATE doubts
SET looks = $3::int, misses = $4::int, empty = $5::int, last_word = $6::text,
    needs_person = $7::boolean, claimed_by = NULL, claimed_until = NULL,
    look_at = now() + make_interval(secs => $8::double precision)
WHERE attempt_id = $1::uuid AND claimed_by = $2::uuid AND resolved_at IS NULL

-- name: doubt_is_over
-- The daemon $2 found out what there was to find out.
UPDATE doubts SET resolved_at = now(), claimed_by = NULL, claimed_until = NULL
WHERE attempt_id = $1::uuid AND claimed_by = $2::uuid AND resolved_at IS NULL

-- name: count_doubts
-- How many outcomes are unknown, how many of them need a person, and how many strays are left.
SELECT count(*) AS unknown, count(*) FILTER (WHERE needs_person) AS need_person,
       (SELECT count(*) FROM strays WHERE undone IS NULL) AS strays
FROM doubts WHERE resolved_at IS NULL

-- name: keep_stray
-- The gateway has taken money that is not ours to keep; the first finding stays.
INSERT INTO strays (transaction_id, attempt_id, why) VALUES ($1::text, $2::uuid, $3::text)
ON CONFLICT (transaction_id) DO NOTHING

-- name: claim_strays
-- Strays as doubts are claimed.
WITH due AS (
    SELECT transaction_id FROM strays
    WHERE undone IS NULL AND look_at <= now()
      AND (claimed_by IS NULL OR claimed_until < now()
           OR claimed_by = $1::uuid AND transaction_id <> ALL ($4::text[])
           OR claimed_by IN (SELECT id FROM daemons_gone))
    ORDER BY look_at
    LIMIT $2::int
    FOR UPDATE SKIP LOCKED
)
UPDATE strays
SET claimed_by = $1::uuid, claimed_until = now() + make_interval(secs => $3::double precision)
FROM due, attempts
WHERE strays.transaction_id = due.transaction_id AND attempts.id = strays.attempt_id
RETURNING strays.transaction_id, strays.attempt_id, strays.why, strays.tries, attempts.order_id

-- name: stray_undone
-- It was voided or refunded; the first time stays.
UPDATE strays SET undone = $2::text, undone_at = now(), claimed_by = NULL, claimed_until = NULL
WHERE transaction_id = $1::text AND undone IS NULL

-- name: stray_put_off
-- The daemon $2 could not take it back, and somebody tries again after $4 seconds.
UPDATE strays
SET tries = tries + 1, last_word = $3::text, claimed_by = NULL, claimed_until = NULL,
    look_at = now() + make_interval(secs => $4::double precision)
WHERE transaction_id = $1::text AND claimed_by = $2::uuid AND undone IS NULL

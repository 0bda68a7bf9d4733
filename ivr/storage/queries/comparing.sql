-- What our ledger says of payments, for comparing it with the gateway's.

-- name: payments_to_compare
-- What we say of these orders.
SELECT attempts.id, attempts.order_id, attempts.customer_id, attempts.call_id, attempts.amount,
       attempts.currency, attempts.fee, attempts.method, attempts.state, attempts.transaction_id,
       parts.invoice_ids, parts.amounts,
       CASE WHEN doubts.needs_person AND doubts.resolved_at IS NULL
            THEN coalesce(doubts.last_word, 'unknown') ELSE '' END AS needs_person,
       EXISTS (SELECT FROM refunds WHERE refunds.attempt_id = attempts.id
               AND refunds.state IN ('asked', 'unknown')) AS is_being_refunded,
       ARRAY(SELECT refunds.transaction_id FROM refunds
             WHERE refunds.attempt_id = attempts.id AND refunds.state = 'done') AS refund_ids
FROM attempts
JOIN LATERAL (
    SELECT array_agg(invoice_id ORDER BY invoice_id) AS invoice_ids,
           array_agg(allocations.amount ORDER BY invoice_id) AS amounts
    FROM allocations WHERE allocations.attempt_id = attempts.id
) AS parts ON true
LEFT JOIN doubts ON doubts.attempt_id = attempts.id
WHERE attempts.order_id = ANY ($1::text[])

-- name: orders_taken
-- Orders whose money was taken from $1 and before $2, and that are now in one of the states $3.
SELECT order_id FROM attempts
WHERE captured_at >= $1::timestamptz AND captured_at < $2::timestamptz AND state = ANY ($3::text[])

-- name: orders_unfinished
-- Orders whose money was taken from $1 and before $2, and of which more may become: they are not
-- settled yet, or a bank may return them, also after they were settled or refunded.
SELECT order_id FROM attempts
WHERE captured_at >= $1::timestamptz AND captured_at < $2::timestamptz
  AND (state = 'captured' OR method = 'bank-account' AND state IN ('settled', 'refunded'))

-- name: orders_unknown
-- Orders whose outcome is unknown.
SELECT order_id FROM attempts WHERE state = 'unknown'

-- name: strays_given_back
-- Which of these sales were sent back.
SELECT transaction_id FROM strays WHERE transaction_id = ANY ($1::text[]) AND undone IS NOT NULL

-- name: claim_comparison
-- One node a night compares; a node that died or needed more than two hours is followed by another.
INSERT INTO comparisons (night, claimed_by) VALUES ($1::date, $2::uuid)
ON CONFLICT (night) DO UPDATE SET claimed_by = $2::uuid, began_at = now()
WHERE comparisons.ended_at IS NULL
  AND (comparisons.claimed_by IN (SELECT id FROM daemons_gone)
       OR comparisons.began_at < now() - interval '2 hours')
RETURNING night

-- name: give_comparison_back
-- It came to nothing: whoever is next may do it.
DELETE FROM comparisons WHERE night = $1::date AND claimed_by = $2::uuid AND ended_at IS NULL

-- name: comparison_ended
-- What it came to.
UPDATE comparisons SET ended_at = now(), compared = $3::int, mended = $4::int, left_open = $5::int
WHERE night = $1::date AND claimed_by = $2::uuid

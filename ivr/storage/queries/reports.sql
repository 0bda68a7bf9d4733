-- Sums over the ledger.

-- name: settlement_report
-- What was charged and what was given back on each day from $1 to $2, both included, in the time
-- zone $3, by method and currency.
WITH span AS (
    SELECT $1::date::timestamp AT TIME ZONE $3::text AS since,
           ($2::date + 1)::timestamp AT TIME ZONE $3::text AS until
), moved AS (
    SELECT captured_at AS at, method, currency, amount AS charged, fee, parts.applied AS to_invoices,
           amount - fee - parts.applied AS not_applied, 0::numeric AS refunded, 1 AS payments
    FROM span, attempts, LATERAL (
        SELECT coalesce(sum(allocations.applied), 0) AS applied
        FROM allocations WHERE allocations.attempt_id = attempts.id
    ) AS parts
    WHERE captured_at >= span.since AND captured_at < span.until
    UNION ALL
    SELECT refunds.ended_at, method, currency, 0, 0, 0, 0, refunds.amount, 0
    FROM span, refunds JOIN attempts ON attempts.id = refunds.attempt_id
    WHERE refunds.state = 'done'
      AND refunds.ended_at >= span.since AND refunds.ended_at < span.until
    UNION ALL  -- a bank takes all of it back, whatever staff refunded before: see payment.given-back-twice
    SELECT ended_at, method, currency, 0, 0, 0, 0, amount, 0
    FROM span, attempts
    WHERE state = 'returned' AND ended_at >= span.since AND ended_at < span.until
    UNION ALL  -- what somebody at the gateway's own desk gave back
    SELECT ended_at, method, currency, 0, 0, 0, 0, attempts.amount - ours.amount, 0
    FROM span, attempts, LATERAL (
        SELECT coalesce(sum(refunds.amount), 0) AS amount
        FROM refunds WHERE refunds.attempt_id = attempts.id AND refunds.state = 'done'
    ) AS ours
    WHERE attempts.state IN ('voided', 'refunded') AND attempts.amount > ours.amount
      AND ended_at >= span.since AND ended_at < span.until
)
SELECT (at AT TIME ZONE $3::text)::date AS day, method, currency, sum(charged) AS charged,
       sum(fee) AS fee, sum(to_invoices) AS to_invoices, sum(not_applied) AS not_applied,
       sum(refunded) AS refunded, sum(payments)::int AS count
FROM moved
GROUP BY day, method, currency
ORDER BY day, method, currency

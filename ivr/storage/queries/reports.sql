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
    SELECT ended_at, method, currency, 0, 0, 0, 0, amount, 0
    FROM span, attempts
    WHERE state IN ('voided', 'refunded', 'returned')
      AND ended_at >= span.since AND ended_at < span.until
)
SELECT (at AT TIME ZONE $3::text)::date AS day, method, currency, sum(charged) AS charged,
       sum(fee) AS fee, sum(to_invoices) AS to_invoices, sum(not_applied) AS not_applied,
       sum(refunded) AS refunded, sum(payments)::int AS count
FROM moved
GROUP BY day, method, currency
ORDER BY day, method, currency

-- Promises to pay.

-- name: lock_promised_invoices
-- In the order of ids, as charges and imports lock them: of two calls that promise the same invoice
-- at once the second waits here, and then sees what the first has written.
SELECT id FROM invoices WHERE id = ANY ($1::bigint[]) ORDER BY id FOR NO KEY UPDATE

-- name: make_promise
-- Keep a promise, what is promised of each invoice, and the news of it, unless one of the invoices
-- has been promised for a day that is not over, or is not due that much any more. The same promise
-- again changes nothing.
WITH wanted AS (
    SELECT part.invoice_id, part.amount, invoices.paid
    FROM unnest($6::bigint[], $7::numeric[]) AS part (invoice_id, amount)
    JOIN invoices ON invoices.id = part.invoice_id
                 AND invoices.currency = $5::text
                 AND invoices.amount - invoices.paid >= part.amount
), made AS (
    INSERT INTO promises (id, customer_id, call_id, amount, currency, day)
    SELECT $1::uuid, $2::bigint, $3::text, $4::numeric, $5::text, $8::date
    WHERE (SELECT count(*) FROM wanted) = cardinality($6::bigint[])
      AND NOT EXISTS (
          SELECT FROM promise_parts JOIN promises ON promises.id = promise_parts.promise_id
          JOIN invoices ON invoices.id = promise_parts.invoice_id
          WHERE promise_parts.invoice_id = ANY ($6::bigint[])
            AND promises.day >= current_date AND promises.id <> $1::uuid
            AND invoices.paid - promise_parts.paid_then < promise_parts.amount)
    ON CONFLICT (id) DO NOTHING
    RETURNING id, customer_id, call_id
), parts AS (
    INSERT INTO promise_parts (promise_id, invoice_id, amount, paid_then)
    SELECT made.id, wanted.invoice_id, wanted.amount, wanted.paid FROM made, wanted
), told AS (
    INSERT INTO events (topic, kind, call_id, payload)
    SELECT news.topic, news.kind, made.call_id,
           jsonb_build_object('customer', made.customer_id, 'promise', made.id,
                              'day', $8::date, 'amount', $9::text, 'currency', $5::text)
    FROM made, (VALUES ('webhook', 'promise.made'), ('text', 'promise')) AS news (topic, kind)
)
SELECT id FROM made
UNION ALL
SELECT id FROM promises WHERE id = $1::uuid

-- name: promises_of_customer
-- All of one customer, newest first, with what was paid since.
SELECT seq, id, customer_id, call_id, amount, currency, day, made_at,
       invoice_ids, amounts, in_time, late
FROM promises_now
WHERE customer_id = $1::bigint
ORDER BY seq DESC
LIMIT 100

-- name: recent_promises
-- One page, newest first, before the cursor $1.
SELECT seq, id, customer_id, call_id, amount, currency, day, made_at,
       invoice_ids, amounts, in_time, late
FROM promises_now
WHERE $1::bigint IS NULL OR seq < $1
ORDER BY seq DESC
LIMIT $2::int

-- Money that staff gave back, or asked for. What is not refused counts as given back.

-- name: refundable_payment
-- What of a payment may still be given back.
SELECT attempts.state, attempts.transaction_id, attempts.amount, attempts.currency,
       attempts.amount - coalesce((
           SELECT sum(refunds.amount) FROM refunds
           WHERE refunds.attempt_id = attempts.id AND refunds.state <> 'refused'
       ), 0) AS remaining
FROM attempts
WHERE attempts.id = $1::uuid

-- name: lock_payment
-- Nobody else gives anything of this payment back meanwhile.
SELECT id FROM attempts WHERE id = $1::uuid FOR UPDATE

-- name: open_refund
-- Write one down under a key that nobody used before.
INSERT INTO refunds (id, attempt_id, kind, amount, reason, who, request_key, digest, reopen)
VALUES ($1::uuid, $2::uuid, $3::text, $4::numeric, $5::text, $6::text, $7::text, $8::text,
        $9::boolean)
ON CONFLICT (request_key) DO NOTHING
RETURNING id

-- name: refund_by_key
-- The one that was asked for with this key.
SELECT refunds.*, attempts.transaction_id AS sale_id, attempts.currency
FROM refunds JOIN attempts ON attempts.id = refunds.attempt_id
WHERE refunds.request_key = $1::text

-- name: refund_by_id
-- One, as it is now.
SELECT refunds.*, attempts.transaction_id AS sale_id, attempts.currency
FROM refunds JOIN attempts ON attempts.id = refunds.attempt_id
WHERE refunds.id = $1::uuid

-- name: refunds_of_payment
-- All of one payment, the first first.
SELECT refunds.*, attempts.transaction_id AS sale_id, attempts.currency
FROM refunds JOIN attempts ON attempts.id = refunds.attempt_id
WHERE refunds.attempt_id = $1::uuid
ORDER BY refunds.asked_at, refunds.id

-- name: unfinished_refunds
-- Those whose outcome is not known, or was asked for more than $1 seconds ago.
SELECT refunds.*, attempts.transaction_id AS sale_id, attempts.currency,
       extract(epoch FROM now() - refunds.asked_at)::double precision AS age
FROM refunds JOIN attempts ON attempts.id = refunds.attempt_id
WHERE refunds.state = 'unknown'
   OR refunds.state = 'asked' AND refunds.asked_at < now() - make_interval(secs => $1::double precision)
ORDER BY refunds.asked_at

-- name: refund_under_way
-- One of this payment whose outcome is not known yet.
SELECT id FROM refunds WHERE attempt_id = $1::uuid AND state IN ('asked', 'unknown') LIMIT 1

-- name: end_refund
-- It is refused or not known; what is done or refused already stays so.
UPDATE refunds
SET state = $2::text, why = $3::text, ended_at = CASE WHEN $2::text = 'refused' THEN now() END
WHERE id = $1::uuid AND state IN ('asked', 'unknown')

-- name: refund_done
-- It is done; nothing if it was done or refused before.
UPDATE refunds
SET state = 'done', transaction_id = $2::text, why = NULL, ended_at = now()
WHERE id = $1::uuid AND state IN ('asked', 'unknown')
RETURNING attempt_id, kind, amount, reopen

-- name: lock_paid_invoices
-- What a payment still pays of each invoice, oldest first, and nobody changes that meanwhile.
-- (They are locked in the order of their ids, as by everybody else.)
WITH locked AS (
    SELECT invoices.id, invoices.due_date, allocations.applied - allocations.reopened AS applied
    FROM allocations JOIN invoices ON invoices.id = allocations.invoice_id
    WHERE allocations.attempt_id = $1::uuid AND allocations.applied > allocations.reopened
    ORDER BY invoices.id
    FOR NO KEY UPDATE OF invoices
)
SELECT id, applied FROM locked ORDER BY due_date, id

-- name: reopen_invoices
-- So much less is paid of these invoices.
WITH back AS (
    SELECT * FROM unnest($2::bigint[], $3::numeric[]) AS back (invoice_id, amount)
), opened AS (
    UPDATE allocations SET reopened = reopened + back.amount
    FROM back
    WHERE allocations.attempt_id = $1::uuid AND allocations.invoice_id = back.invoice_id
)
UPDATE invoices SET paid = invoices.paid - back.amount
FROM back
WHERE invoices.id = back.invoice_id

-- name: tell_of_refund
-- What has become of the payment, and who is told: programs of the payment and of the invoices
-- that are owed again ($4), the customer that money comes back.
WITH whole AS (
    SELECT coalesce(sum(refunds.amount), 0) AS amount
    FROM refunds WHERE refunds.attempt_id = $1::uuid AND refunds.state = 'done'
), payment AS (
    UPDATE attempts
    SET state = CASE
        WHEN state NOT IN ('captured', 'settled') OR attempts.amount > whole.amount THEN state
        WHEN $3::text = 'void' THEN 'voided'
        ELSE 'refunded'
    END
    FROM whole
    WHERE attempts.id = $1::uuid
    RETURNING attempts.id, attempts.customer_id, attempts.currency, attempts.last4
), news AS (
    SELECT 1 AS turn, 'webhook' AS topic,
           CASE WHEN $3::text = 'void' THEN 'payment.voided' ELSE 'payment.refunded' END AS kind,
           NULL::bigint AS id, '{}'::jsonb AS about
    UNION ALL
    SELECT 2, 'webhook', CASE WHEN paid > 0 THEN 'invoice.part-paid' ELSE 'invoice.unpaid' END,
           id, jsonb_build_object('invoice', id)
    FROM invoices WHERE id = ANY ($4::bigint[])
    UNION ALL
    SELECT 3, topic, 'refund', NULL, '{}' FROM unnest(ARRAY['text', 'mail']) AS topic
)
INSERT INTO events (topic, kind, attempt_id, payload)
SELECT news.topic, news.kind, payment.id,
       jsonb_build_object('payment', payment.id, 'customer', payment.customer_id,
                          'refund', $2::uuid, 'amount', $5::text,
                          'currency', payment.currency) || news.about
FROM news, payment
ORDER BY news.turn, news.id

-- Mandates to debit bank accounts, and what the gateway tells of it days later.

-- name: can_notify
-- Whether a notice can be sent to a customer by one of the ways $2.
SELECT 'text' = ANY ($2::text[]) AND phone <> '' OR 'mail' = ANY ($2::text[]) AND email <> ''
       AS can_notify
FROM customers WHERE id = $1::bigint

-- name: keep_mandate
-- What a caller agreed to, once for a payment.
INSERT INTO mandates (attempt_id, call_id, wording, language, accepted_at, how, reference)
VALUES ($1::uuid, $2::text, $3::text, $4::text, $5::timestamptz, $6::text, $7::text)
ON CONFLICT (attempt_id) DO NOTHING

-- name: notification_known
-- Whether this very notification was taken before.
SELECT became FROM gateway_notifications WHERE digest = $1::text

-- name: payment_of_transaction
-- Whose transaction it is; or whose it will be once a charge of that order has ended.
SELECT id, state FROM attempts
WHERE transaction_id = $1::text OR order_id = $2::text AND transaction_id IS NULL

-- name: keep_notification
-- It was taken; the first time stays.
INSERT INTO gateway_notifications (digest, kind, transaction_id, attempt_id, happened_at, became)
VALUES ($1::text, $2::text, $3::text, $4::uuid, $5::timestamptz, $6::text)
ON CONFLICT (digest) DO NOTHING

-- Mandates to debit bank accounts, and what the gateway tells of it days later.

-- name: can_notify
-- Whether a notice can be sent to a customer by one of the ways $2.
SELECT 'text' = ANY ($2::text[]) AND phone <> '' OR 'mail' = ANY ($2::text[]) AND email <> ''
       AS can_notify
FROM customers WHERE id = $1::bigint

-- name: accounts_in_vain
-- How many accounts a customer named in the last day that came to nothing after the mandate.
SELECT count(*) AS accounts
FROM mandates JOIN attempts ON attempts.id = mandates.attempt_id
WHERE mandates.accepted_at > now() - interval '1 day'
  AND attempts.customer_id = $1::bigint AND attempts.state = 'canceled'

-- name: keep_mandate
-- What a caller agreed to, once for a payment.
INSERT INTO mandates (attempt_id, call_id, wording, language, accepted_at, how, reference)
VALUES ($1::uuid, $2::text, $3::text, $4::text, $5::timestamptz, $6::text, $7::text)
ON CONFLICT (attempt_id) DO NOTHING

-- name: mandates_unproved
-- Recordings that nobody has found yet, or found wanting, of debits that took money or may have.
SELECT mandates.attempt_id, mandates.call_id, mandates.reference,
       extract(epoch FROM now() - mandates.accepted_at)::double precision AS age
FROM mandates JOIN attempts ON attempts.id = mandates.attempt_id
WHERE mandates.how = 'clip' AND mandates.proved_at IS NULL
  AND attempts.state NOT IN ('declined', 'failed', 'canceled', 'voided')
ORDER BY mandates.accepted_at

-- name: mandate_proved
-- The recording has it.
UPDATE mandates SET proved_at = now()
WHERE attempt_id = $1::uuid AND how = 'clip' AND proved_at IS NULL

-- name: notify_of_mandate
-- The notice is the proof instead, and goes out now if the money was taken, else with its capture:
-- both lock the attempt, so that it goes once. Answers by which of the ways $2 it reaches somebody.
WITH attempt AS (
    SELECT attempts.id, attempts.call_id, attempts.captured_at, attempts.order_id,
           array_remove(ARRAY[
               CASE WHEN 'text' = ANY ($2::text[]) AND customers.phone <> '' THEN 'text' END,
               CASE WHEN 'mail' = ANY ($2::text[]) AND customers.email <> '' THEN 'mail' END
           ], NULL) AS ways
    FROM attempts JOIN customers ON customers.id = attempts.customer_id
    WHERE attempts.id = $1::uuid
    FOR UPDATE OF attempts
), turned AS (
    UPDATE mandates
    SET how = 'notice',
        reference = coalesce(nullif(array_to_string(attempt.ways, ', '), ''), 'by hand')
    FROM attempt
    WHERE mandates.attempt_id = attempt.id AND how = 'clip' AND proved_at IS NULL
    RETURNING attempt.*, mandates.wording
), told AS (
    INSERT INTO events (topic, kind, attempt_id, call_id, payload)
    SELECT topic, 'mandate', id, call_id, jsonb_build_object('payment', id, 'mandate', wording)
    FROM turned, unnest(ARRAY['mail', 'text']) AS topic
    WHERE captured_at IS NOT NULL
)
SELECT order_id, ways FROM turned

-- name: accounts_to_forget
-- Look at $1 accounts whose turn it is, each by one node: which the gateway may forget now, since
-- nothing was taken or all of it went back, or the money is there for $2 days. Asked again in
-- minutes if it does not. The others come up again.
WITH turn AS (
    SELECT mandates.attempt_id, attempts.state,
           coalesce(attempts.settled_at, attempts.captured_at) + make_interval(days => $2::int)
               AS over_at
    FROM mandates JOIN attempts ON attempts.id = mandates.attempt_id
    WHERE mandates.look_at <= now()
    ORDER BY mandates.look_at
    LIMIT $1::int
    FOR UPDATE OF mandates SKIP LOCKED
), judged AS (
    SELECT attempt_id, over_at,
           state IN ('declined', 'failed', 'canceled', 'voided', 'returned')
               OR state IN ('captured', 'settled', 'refunded') AND over_at <= now() AS is_over
    FROM turn
)
UPDATE mandates
SET look_at = CASE
    WHEN judged.is_over THEN now() + interval '10 minutes'
    WHEN judged.over_at IS NULL THEN now() + interval '10 seconds'
    ELSE LEAST(judged.over_at, now() + interval '1 day')
END
FROM judged
WHERE mandates.attempt_id = judged.attempt_id
RETURNING mandates.attempt_id, judged.is_over

-- name: account_forgotten
-- The gateway has it no more. One that was agreed to just now is looked at once more: a request that
-- the vault did not answer may reach it late.
UPDATE mandates
SET look_at = CASE
    WHEN accepted_at > now() - interval '5 minutes' THEN now() + interval '10 minutes'
END
WHERE attempt_id = $1::uuid

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

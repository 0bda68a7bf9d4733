-- Cards that customers agreed to have kept at the gateway.

-- name: cards_of_customer
-- Those that may be charged, the one kept last first.
SELECT id, brand, last4, expires, token
FROM cards_on_file
WHERE customer_id = $1::bigint AND removed_at IS NULL
ORDER BY kept_at DESC, id

-- name: agree_to_keep_card
-- Keep a caller's yes, once a payment; and whom the gateway is to keep the card for.
WITH agreed AS (
    INSERT INTO card_consents (customer_id, attempt_id, call_id, wording, language)
    VALUES ($1::bigint, $2::uuid, $3::text, $4::text, $5::text)
    ON CONFLICT (attempt_id) DO NOTHING
)
SELECT gateway_ref FROM customers WHERE id = $1::bigint

-- name: keep_card
-- The gateway keeps the card of this payment, and the caller wanted that; once.
WITH kept AS (
    INSERT INTO cards_on_file (id, customer_id, attempt_id, brand, last4, expires, token)
    SELECT $2::uuid, attempts.customer_id, attempts.id, $3::text, $4::text, $5::text, $6::text
    FROM attempts
    WHERE attempts.id = $1::uuid AND attempts.keep_ref IS NOT NULL
    ON CONFLICT (id) DO NOTHING
    RETURNING id, customer_id, attempt_id, last4
)
INSERT INTO events (topic, kind, attempt_id, call_id, payload)
SELECT topic, 'card-kept', kept.attempt_id, attempts.call_id,
       jsonb_build_object('payment', kept.attempt_id, 'customer', kept.customer_id,
                          'card', kept.id, 'last4', kept.last4)
FROM kept JOIN attempts ON attempts.id = kept.attempt_id,
     unnest(ARRAY['text', 'mail']) AS topic

-- name: remove_card
-- Never offer it again; the caller who wanted that is told that it is done.
WITH removed AS (
    UPDATE cards_on_file SET removed_at = now(), removed_for = $2::text
    WHERE id = $1::uuid AND removed_at IS NULL
    RETURNING id, customer_id, last4
)
INSERT INTO events (topic, kind, call_id, payload)
SELECT topic, 'card-removed', $3::text,
       jsonb_build_object('customer', customer_id, 'card', id, 'last4', last4)
FROM removed, unnest(ARRAY['text', 'mail']) AS topic
WHERE $2::text = 'caller'

-- name: cards_to_delete
-- Those that are removed here, and may be there still at the gateway.
SELECT id, brand, last4, expires, token
FROM cards_on_file
WHERE removed_at IS NOT NULL AND token IS NOT NULL
ORDER BY removed_at

-- name: card_deleted
-- The gateway has it no more.
UPDATE cards_on_file SET token = NULL WHERE id = $1::uuid AND removed_at IS NOT NULL

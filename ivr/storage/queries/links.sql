-- Links to the pay page and the payments made by them.

-- name: keep_link
-- A new link and its invoices; an id or a request key that is taken gives no row.
WITH kept AS (
    INSERT INTO links (id, customer_id, purpose, call_id, expires_at, asked_by, request_key, digest)
    VALUES ($1::bigint, $2::bigint, $3::text, $4::text,
            now() + make_interval(secs => $5::double precision), $8::text, $9::text, $10::text)
    ON CONFLICT DO NOTHING
    RETURNING id, expires_at
), bound AS (
    INSERT INTO link_invoices (link_id, invoice_id, amount)
    SELECT kept.id, part.invoice_id, part.amount
    FROM kept, unnest($6::bigint[], $7::numeric[]) AS part (invoice_id, amount)
)
SELECT expires_at FROM kept

-- name: revoke_link
-- No page is shown for it any more; what was charged by it stays as it is. The first one counts.
UPDATE links
SET revoked_at = coalesce(revoked_at, now()),
    revoked_by = CASE WHEN revoked_at IS NULL THEN nullif($2::text, '') ELSE revoked_by END
WHERE id = $1::bigint
RETURNING id

-- name: any_link
-- One by its id ($1) or by the key that staff asked with ($2), whatever became of it.
SELECT id, customer_id, purpose, call_id, expires_at, digest, expires_at <= now() AS is_over,
       revoked_at IS NOT NULL AS is_revoked
FROM links
WHERE id = $1::bigint OR request_key = $2::text

-- name: link_by_id
-- A link that was made, neither revoked nor expired more than $2 seconds ago, and how often its
-- cards were refused.
SELECT links.id, links.customer_id, links.purpose, links.call_id, links.expires_at,
       customers.language,
       (SELECT count(*) FROM link_attempts JOIN attempts ON attempts.id = link_attempts.attempt_id
        WHERE link_attempts.link_id = links.id AND attempts.state = 'declined') AS declines
FROM links JOIN customers ON customers.id = links.customer_id
WHERE links.id = $1::bigint AND links.revoked_at IS NULL AND links.expires_at > now() - make_interval(secs => $2::double precision)

-- name: link_invoices
-- The invoices of a link, paid or not, and whether a charge of one is still unknown.
SELECT invoices.id, invoices.number, services.customer_id, invoices.service_id,
       services.label AS service_label, invoices.amount, invoices.currency, invoices.paid,
       invoices.due_date, link_invoices.amount AS chosen,
       EXISTS (
           SELECT FROM allocations JOIN attempts ON attempts.id = allocations.attempt_id
           WHERE allocations.invoice_id = invoices.id AND allocations.holds
             AND attempts.state = 'unknown'
       ) AS in_doubt
FROM link_invoices
JOIN invoices ON invoices.id = link_invoices.invoice_id
JOIN services ON services.id = invoices.service_id
WHERE link_invoices.link_id = $1::bigint
ORDER BY invoices.due_date, invoices.number COLLATE "C"

-- name: claim_link_attempt
-- One press of the button is one attempt: a row comes back to the first one only.
INSERT INTO link_attempts (link_id, key, attempt_id, taken_at)
VALUES ($1::bigint, $2::uuid, $3::uuid, CASE WHEN $4::boolean THEN now() END)
ON CONFLICT (link_id, key) DO NOTHING
RETURNING attempt_id

-- name: keep_link_payment
-- Which PayPal payment belongs to a press.
UPDATE link_attempts SET payment_id = $3::text WHERE link_id = $1::bigint AND key = $2::uuid

-- name: take_link_payment
-- The attempt of an approved PayPal payment, to whoever asks first.
UPDATE link_attempts SET taken_at = now()
WHERE link_id = $1::bigint AND key = $2::uuid AND payment_id = $3::text AND taken_at IS NULL
RETURNING attempt_id

-- name: link_attempt
-- What became of one press ($2), or of the last payment by the link that ended well (no $2).
SELECT attempts.id, attempts.state, attempts.amount, attempts.currency, attempts.reason,
       attempts.bucket, attempts.confirmation, link_attempts.taken_at IS NOT NULL AS taken,
       extract(epoch FROM now() - coalesce(attempts.ended_at, link_attempts.taken_at,
                                           attempts.created_at))::float8 AS seconds_ago,
       back.ids, back.labels
FROM link_attempts JOIN attempts ON attempts.id = link_attempts.attempt_id,
LATERAL (
    SELECT array_agg(services.id ORDER BY services.id) AS ids,
           array_agg(services.label ORDER BY services.id) AS labels
    FROM events JOIN services ON services.id = (events.payload ->> 'service')::bigint
    WHERE events.attempt_id = attempts.id AND events.kind = 'service.reactivated'
) AS back
WHERE link_attempts.link_id = $1::bigint
  AND (link_attempts.key = $2::uuid
       OR ($2::uuid IS NULL AND attempts.state IN ('captured', 'settled')))
ORDER BY attempts.ended_at DESC NULLS LAST
LIMIT 1

-- name: link_news
-- What a call that waits for a link hears: the newest attempt by it in which anything was charged.
SELECT link_attempts.key
FROM link_attempts JOIN attempts ON attempts.id = link_attempts.attempt_id
WHERE link_attempts.link_id = $1::bigint AND link_attempts.taken_at IS NOT NULL
ORDER BY link_attempts.taken_at DESC
LIMIT 1

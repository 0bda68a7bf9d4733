-- The secure segments: what was asked, and how each ended. The one table both processes share.

-- name: open_capture
-- Keep what is to be collected; keeping the same one again changes nothing.
INSERT INTO captures (id, call_id, language, fields, brands, slow, holder, mandate)
VALUES ($1::uuid, $2::text, $3::text, $4::text[], $5::text[], $6::boolean, $7::text, $8::text)
ON CONFLICT (id) DO NOTHING

-- name: capture_request
-- What to collect, unless it is over.
SELECT id, call_id, language, fields, brands, slow, holder, mandate
FROM captures
WHERE id = $1::uuid AND closed_at IS NULL

-- name: close_capture
-- Keep how it ended; the first ending stays.
UPDATE captures
SET result = $2::text, error_type = $3::text, brand = $4::text, last4 = $5::text,
    expires = $6::text, token = $7::text, card_hash = $8::text, account_type = $9::text,
    closed_at = now()
WHERE id = $1::uuid AND closed_at IS NULL

-- name: capture_outcome
-- How it ended, if it has.
SELECT result, error_type, brand, last4, expires, token, card_hash, account_type
FROM captures
WHERE id = $1::uuid AND closed_at IS NOT NULL

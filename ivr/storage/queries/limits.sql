-- Tries that are counted: cards before they are charged, identifications before they are answered.

-- name: card_tries
-- What was tried besides this attempt, and what the breaker is to know; counts nothing.
SELECT *
FROM card_facts_now($1::uuid, NULL, NULL, $2::interval, $3::interval)

-- name: count_card_try
-- Count this attempt with this card, keyed or on file ($6), and answer as card_tries.
SELECT *
FROM count_card_try($1::uuid, $2::text, $3::text, $4::interval, $5::interval, $6::uuid)

-- name: breaker
-- What the breaker is to know.
SELECT *
FROM breaker_now($1::interval, $2::interval, NULL)

-- name: open_breaker
-- Take no cards from now on, unless another has just decided so, or otherwise.
UPDATE card_breaker SET opened_at = now()
WHERE opened_at IS NOT DISTINCT FROM $1::timestamptz
RETURNING opened_at

-- name: close_breaker
-- Take cards again, unless another has just decided so, or otherwise.
UPDATE card_breaker SET opened_at = NULL, closed_at = now()
WHERE opened_at = $1::timestamptz
RETURNING closed_at

-- name: count_identification
-- Count one try for each of these subjects, in their order, so that two at once cannot lock each
-- other out; and what was counted before it, in this hour and in a day.
WITH counted AS (
    INSERT INTO identification_tries AS kept (subject, hour, tries)
    SELECT subject, date_trunc('hour', now()), 1
    FROM unnest($1::text[]) AS wanted (subject)
    ORDER BY subject COLLATE "C"
    ON CONFLICT (subject, hour) DO UPDATE SET tries = kept.tries + 1
    RETURNING subject, hour, tries
)
SELECT counted.subject, counted.hour, counted.tries - 1 AS this_hour,
       counted.tries - 1 + coalesce((
           SELECT sum(earlier.tries) FROM identification_tries AS earlier
           WHERE earlier.subject = counted.subject AND earlier.hour < counted.hour
             AND earlier.hour > counted.hour - interval '1 day'), 0)::bigint AS a_day
FROM counted

-- name: forgive_identification
-- It was no failure.
WITH forgiven AS (
    SELECT subject, hour FROM identification_tries
    WHERE subject = ANY ($1::text[]) AND hour = $2::timestamptz AND tries > 0
    ORDER BY subject
    FOR UPDATE
)
UPDATE identification_tries AS kept SET tries = kept.tries - 1
FROM forgiven
WHERE kept.subject = forgiven.subject AND kept.hour = forgiven.hour

-- name: is_number_on_file
-- Whether a number, however it is written, is this customer's, or one of their lines'.
SELECT one_number($2::text) <> '' AND (EXISTS (
           SELECT FROM customers
           WHERE id = $1::bigint AND one_number(phone) = one_number($2::text))
    OR EXISTS (
           SELECT FROM services
           WHERE customer_id = $1::bigint
             AND one_number(number) = one_number($2::text))) AS is_on_file

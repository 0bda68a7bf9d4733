-- Customers by the sound and the spelling of their names.

-- name: lock_name_indexing
-- One process at a time adds names; the others wait for its batch.
SELECT pg_advisory_xact_lock(hashtext('saldo-names'))

-- name: take_names_to_index
-- The next customers whose names are new or changed.
WITH taken AS (
    DELETE FROM names_to_index WHERE customer_id IN (
        SELECT customer_id FROM names_to_index ORDER BY customer_id LIMIT $1::int
    ) RETURNING customer_id
)
SELECT customers.id, customers.kind, customers.name
FROM taken JOIN customers ON customers.id = taken.customer_id
ORDER BY customers.id

-- name: names_left_to_index
-- How many are waiting.
SELECT count(*) AS waiting FROM names_to_index

-- name: first_name_to_index
-- Whether there is one: a look at the index, also where thousands were just taken out.
SELECT customer_id FROM names_to_index ORDER BY customer_id LIMIT 1

-- name: name_words_there
-- Which of these words are known.
SELECT word FROM name_words WHERE word = ANY ($1::text[])

-- name: add_name_words
-- New words and their sounds, each word's joined by spaces.
INSERT INTO name_words (word, sounds)
SELECT word, string_to_array(sounds, ' ') FROM unnest($1::text[], $2::text[]) AS new (word, sounds)
ON CONFLICT DO NOTHING
RETURNING id, word

-- name: add_name_word_keys
-- What finds the new words.
INSERT INTO name_word_keys (key, word_id, weight)
SELECT * FROM unnest($1::text[], $2::int[], $3::real[])
ON CONFLICT DO NOTHING

-- name: spoken_names_there
-- The ids of names.
SELECT names.id, names.words, names.kind
FROM unnest($1::text[], $2::text[]) AS asked (words, kind)
JOIN spoken_names AS names ON names.words::text = asked.words AND names.kind = asked.kind

-- name: add_spoken_names
-- New names.
INSERT INTO spoken_names (words, kind)
SELECT * FROM unnest($1::text[], $2::text[])
RETURNING id, words, kind

-- name: add_name_combinations
-- What finds the new names by some of their words.
INSERT INTO name_combinations (key, unsaid, name_id)
SELECT * FROM unnest($1::bigint[], $2::smallint[], $3::int[]) AS new (key, unsaid, name_id)
ORDER BY key
ON CONFLICT DO NOTHING

-- name: add_name_keypads
-- What finds the new names by keys.
INSERT INTO name_keypads (keys, name_id)
SELECT * FROM unnest($1::text[], $2::int[]) AS new (keys, name_id)
ORDER BY keys COLLATE "C"
ON CONFLICT DO NOTHING

-- name: keep_customer_names
-- Who bears which name.
INSERT INTO customer_names (customer_id, name_id)
SELECT * FROM unnest($1::bigint[], $2::int[])
ON CONFLICT (customer_id) DO UPDATE SET name_id = excluded.name_id

-- name: forget_customer_names
-- Customers whose new name has nothing to say or to spell.
DELETE FROM customer_names WHERE customer_id = ANY ($1::bigint[])

-- name: names_if_few
-- What all customers are called, unless there are more of them than this.
SELECT DISTINCT kind, name FROM customers
WHERE (SELECT count(*) FROM (SELECT FROM customers LIMIT $1::int + 1) AS counted) <= $1::int

-- name: words_like
-- For each word heard the words of the directory that share most with it.
WITH asked AS (
    SELECT * FROM unnest($1::int[], $2::text[]) AS asked (place, key)
), alike AS (
    SELECT asked.place, found.word_id, sum(found.weight) AS weight
    FROM asked CROSS JOIN LATERAL (
        SELECT word_id, weight FROM name_word_keys WHERE key = asked.key
        ORDER BY word_id LIMIT $3::int
    ) AS found
    GROUP BY asked.place, found.word_id
), ranked AS (
    SELECT place, word_id,
           row_number() OVER (PARTITION BY place ORDER BY weight DESC, word_id) AS rank
    FROM alike
)
SELECT ranked.place, name_words.word, name_words.sounds
FROM ranked CROSS JOIN LATERAL (
    -- LIMIT, so that a few words are fetched one by one and never all of the directory.
    SELECT word, sounds FROM name_words WHERE id = ranked.word_id LIMIT 1
) AS name_words
WHERE ranked.rank <= $4::int

-- name: names_of_combinations
-- Names that hold one of these combinations of words, those of the likeliest ones first.
WITH hit AS (
    SELECT found.name_id, min(asked.place) AS place, min(found.unsaid) AS unsaid
    FROM unnest($1::bigint[]) WITH ORDINALITY AS asked (key, place) CROSS JOIN LATERAL (
        SELECT name_id, unsaid FROM name_combinations WHERE key = asked.key
        ORDER BY unsaid, name_id LIMIT $2::int
    ) AS found
    GROUP BY found.name_id
    ORDER BY place, unsaid
    LIMIT $3::int
)
SELECT names.id, names.kind, names.words
FROM hit JOIN spoken_names AS names ON names.id = hit.name_id
ORDER BY hit.place, hit.unsaid

-- name: bearers_of_names
-- Who bears these names, and what is known of them: whether the call comes from a number of
-- theirs, and whether they owe. A name that nobody bears any more is left out.
SELECT asked.name_id, min(customers.name::text) AS name,
       array_agg(customers.id ORDER BY customers.id) AS customers,
       bool_or(customers.phone <> '' AND customers.phone = $2::text) AS calling,
       bool_or(EXISTS (
           SELECT FROM services JOIN invoices ON invoices.service_id = services.id
           WHERE services.customer_id = customers.id AND invoices.paid < invoices.amount
       )) FILTER (WHERE bearer.nth <= $4::int) AS owes
FROM unnest($1::int[]) AS asked (name_id)
CROSS JOIN LATERAL (
    SELECT customer_id, row_number() OVER (ORDER BY customer_id) AS nth
    FROM customer_names WHERE name_id = asked.name_id ORDER BY customer_id LIMIT $3::int
) AS bearer
JOIN customers ON customers.id = bearer.customer_id
GROUP BY asked.name_id

-- name: names_of_keys
-- Names that are spelled so, that begin so, and that are spelled so but for one slip.
WITH hit AS (
    SELECT name_id, 0 AS slips FROM name_keypads WHERE keys = $1::text
    UNION ALL
    (SELECT name_id, 1 FROM name_keypads
     WHERE keys > $1::text AND keys < $1::text || ':' ORDER BY keys LIMIT $3::int)
    UNION ALL
    (SELECT name_id, 2 FROM name_keypads WHERE keys = ANY ($2::text[]) LIMIT $3::int)
    UNION ALL
    (SELECT found.name_id, 3 FROM unnest($2::text[]) AS asked (keys) CROSS JOIN LATERAL (
        SELECT name_id FROM name_keypads
        WHERE keys > asked.keys AND keys < asked.keys || ':' ORDER BY keys LIMIT 2
     ) AS found LIMIT $3::int)
)
SELECT name_id, min(slips) AS slips FROM hit GROUP BY name_id ORDER BY slips, name_id LIMIT $3::int

-- name: customers_of_postal_code
-- Of these customers the ones with this postal code: what tells namesakes apart.
SELECT id, account_number, kind, name, language, postal_code
FROM customers WHERE id = ANY ($1::bigint[]) AND postal_code = $2::text
ORDER BY id LIMIT 2

-- A card on file is known to be the card that it was keyed as: what its bank said of one holds for both.

DROP FUNCTION count_card_try(uuid, text, text, interval, interval);
CREATE FUNCTION count_card_try(
    attempt uuid, hash text, its_expires text, span interval, pause interval,
    on_file uuid DEFAULT NULL
) RETURNS card_facts
LANGUAGE plpgsql AS $$
DECLARE
    facts card_facts;
BEGIN
    IF on_file IS NOT NULL THEN
        SELECT keyed.card_hash INTO hash
        FROM cards_on_file JOIN attempts AS keyed ON keyed.id = cards_on_file.attempt_id
        WHERE cards_on_file.id = on_file;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('saldo card tries'));
    UPDATE attempts
    SET tried_at = clock_timestamp(), card_hash = hash,
        tried_in = payer.tried_in, tried_by = payer.tried_by
    FROM payer_of(attempt) AS payer
    WHERE attempts.id = attempt AND attempts.state = 'created';
    SELECT * INTO facts FROM card_facts_now(attempt, hash, its_expires, span, pause);
    RETURN facts;
END
$$;
COMMENT ON FUNCTION count_card_try IS
    'counts one try, and says what was tried before it: one at a time, so that two calls at once see each other';

-- As before, but that a gateway which lost a card on file (91518) says nothing of the card.
CREATE OR REPLACE FUNCTION card_tries_now(attempt uuid, hash text, its_expires text)
RETURNS TABLE (in_call bigint, other_cards_in_call bigint, of_number bigint, is_hidden boolean,
               of_invoice bigint, invoices_of_card bigint, was_refused_for_good boolean)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT
        (SELECT count(*) FROM attempts AS other
         WHERE other.tried_in = payer.tried_in AND other.id <> attempt
           AND other.tried_at IS NOT NULL AND is_against(other.state)),
        (SELECT count(DISTINCT other.card_hash) FROM attempts AS other
         WHERE other.tried_in = payer.tried_in AND other.id <> attempt
           AND other.tried_at IS NOT NULL AND is_against(other.state)
           AND other.card_hash <> hash),
        (SELECT count(*) FROM attempts AS other
         WHERE other.tried_by = payer.tried_by AND other.id <> attempt
           AND other.tried_at > now() - interval '1 day'
           AND other.state IN ('created', 'charging', 'unknown', 'declined')),
        payer.tried_by IS NOT DISTINCT FROM '',
        (SELECT coalesce(max(tries), 0) FROM (
             SELECT count(*) AS tries
             FROM allocations AS mine
             JOIN allocations AS others ON others.invoice_id = mine.invoice_id
             JOIN attempts AS other ON other.id = others.attempt_id
             WHERE mine.attempt_id = attempt AND other.id <> attempt
               AND other.tried_at > now() - interval '1 day' AND is_against(other.state)
             GROUP BY mine.invoice_id) AS each),
        (SELECT count(DISTINCT others.invoice_id)
         FROM attempts AS other JOIN allocations AS others ON others.attempt_id = other.id
         WHERE other.card_hash = hash AND other.id <> attempt
           AND other.tried_at > now() - interval '1 day' AND is_against(other.state)),
        EXISTS (SELECT FROM attempts AS other
                WHERE other.card_hash = hash AND other.state = 'declined'
                  AND other.bucket = 'hard' AND other.processor_code <> '91518'
                  AND (other.processor_code <> '2004' OR other.expires = its_expires))
    FROM payer_of(attempt) AS payer;
END;

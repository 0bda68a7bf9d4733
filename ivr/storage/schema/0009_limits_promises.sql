-- Tries that are counted, the breaker that stops cards, and promises to pay.

ALTER TABLE captures ADD COLUMN card_hash text CHECK (card_hash ~ '^[a-p]{64}$');
ALTER TABLE attempts
    ADD COLUMN card_hash text CHECK (card_hash ~ '^[a-p]{64}$'),
    ADD COLUMN tried_at timestamptz,
    ADD COLUMN tried_in text,
    ADD COLUMN tried_by text;
COMMENT ON COLUMN attempts.card_hash IS
    'of the card''s number, with a key that only the secure process has; in letters, so that no search for card numbers stumbles over it';
COMMENT ON COLUMN attempts.tried_at IS 'when it was counted, just before it was to be charged';
COMMENT ON COLUMN attempts.tried_in IS 'the call, or the caller''s channel in a talk with an agent';
COMMENT ON COLUMN attempts.tried_by IS 'the caller''s number, empty when hidden; null: nobody called';
CREATE INDEX attempts_tried ON attempts (tried_at) WHERE tried_at IS NOT NULL;
CREATE INDEX attempts_tried_in ON attempts (tried_in) WHERE tried_at IS NOT NULL;
CREATE INDEX attempts_tried_by ON attempts (tried_by, tried_at)
    WHERE tried_at IS NOT NULL AND state IN ('created', 'charging', 'unknown', 'declined');
CREATE INDEX attempts_of_card ON attempts (card_hash, tried_at) WHERE card_hash IS NOT NULL;
CREATE INDEX assisted_captures_of_attempt ON assisted_captures (attempt_id);

-- A try counts against whoever made it while it may have failed: not once it succeeded, was given
-- up, or certainly never reached the bank.
CREATE FUNCTION is_against(state text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN state IN ('created', 'charging', 'unknown', 'declined');

CREATE TABLE card_breaker (
    only_one  boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    opened_at timestamptz,
    closed_at timestamptz
);
COMMENT ON COLUMN card_breaker.opened_at IS 'null while cards are taken';
COMMENT ON COLUMN card_breaker.closed_at IS 'declines before this are forgotten';
INSERT INTO card_breaker DEFAULT VALUES;

-- What became of the cards that were keyed, in the last `span` and since the breaker's `pause` was
-- over; a trial whose process died is waited for no longer than a charge can take.
CREATE FUNCTION breaker_now(span interval, pause interval, besides uuid)
RETURNS TABLE (at timestamptz, opened_at timestamptz, declined bigint, decided bigint,
               trials_under_way bigint, trials_declined bigint, trials_succeeded bigint)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT now(), breaker.opened_at, recent.declined, recent.decided,
           trials.under_way, trials.declined, trials.succeeded
    FROM card_breaker AS breaker,
    LATERAL (
        SELECT count(*) FILTER (WHERE state = 'declined') AS declined,
               count(*) FILTER (WHERE NOT is_against(state) OR state = 'declined') AS decided
        FROM attempts
        WHERE tried_at > greatest(now() - span, breaker.closed_at)
          AND method = 'card' AND state NOT IN ('failed', 'canceled')
    ) AS recent,
    LATERAL (
        SELECT count(*) FILTER (
                   WHERE state IN ('created', 'charging') AND id IS DISTINCT FROM besides
                     AND tried_at > now() - interval '3 minutes') AS under_way,
               count(*) FILTER (WHERE state = 'declined') AS declined,
               count(*) FILTER (WHERE NOT is_against(state)) AS succeeded
        FROM attempts
        WHERE tried_at >= breaker.opened_at + pause
          AND method = 'card' AND state NOT IN ('failed', 'canceled')
    ) AS trials;
END;

-- Who tries to pay an attempt, and in which call: of its call, or of the talk that an agent has.
CREATE FUNCTION payer_of(attempt uuid) RETURNS TABLE (tried_in text, tried_by text)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT coalesce(assisted.talk -> 'caller' ->> 'channel_id', attempts.call_id),
           CASE
               WHEN assisted.capture_id IS NOT NULL
                   THEN coalesce(assisted.talk -> 'caller' ->> 'number', '')
               WHEN attempts.call_id IS NOT NULL THEN coalesce(calls.caller, '')
           END
    FROM attempts
    LEFT JOIN assisted_captures AS assisted ON assisted.attempt_id = attempts.id
    LEFT JOIN calls ON calls.id = attempts.call_id
    WHERE attempts.id = attempt;
END;

-- What was tried besides this attempt; of cards only where there is one to compare them with. An
-- expired card is another one once it has a new date.
CREATE FUNCTION card_tries_now(attempt uuid, hash text, its_expires text)
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
                  AND other.bucket = 'hard'
                  AND (other.processor_code <> '2004' OR other.expires = its_expires))
    FROM payer_of(attempt) AS payer;
END;

CREATE TYPE card_facts AS (
    at timestamptz, opened_at timestamptz, declined bigint, decided bigint,
    trials_under_way bigint, trials_declined bigint, trials_succeeded bigint,
    in_call bigint, other_cards_in_call bigint, of_number bigint, is_hidden boolean,
    of_invoice bigint, invoices_of_card bigint, was_refused_for_good boolean
);

CREATE FUNCTION card_facts_now(
    attempt uuid, hash text, its_expires text, span interval, pause interval
) RETURNS card_facts
LANGUAGE plpgsql STABLE AS $$  -- whose plans are kept; planning takes longer than the rest of it
DECLARE
    facts card_facts;
BEGIN
    SELECT breaker.*, tries.* INTO facts
    FROM breaker_now(span, pause, attempt) AS breaker,
         card_tries_now(attempt, hash, its_expires) AS tries;
    RETURN facts;
END
$$;

-- Counts one try, and says what was tried before it: one at a time, so that two calls at once see
-- each other. Each statement in here sees what was committed before it.
CREATE FUNCTION count_card_try(
    attempt uuid, hash text, its_expires text, span interval, pause interval
) RETURNS card_facts
LANGUAGE plpgsql AS $$
DECLARE
    facts card_facts;
BEGIN
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

-- Failed identifications by whom and of what, an hour a row.
CREATE TABLE identification_tries (
    subject text COLLATE "C" NOT NULL,
    hour    timestamptz NOT NULL,
    tries   integer NOT NULL CHECK (tries >= 0),
    PRIMARY KEY (subject, hour)
);
COMMENT ON COLUMN identification_tries.subject IS
    'a caller''s number, all who hide theirs, the hash of what they claimed to be, or everybody';
CREATE INDEX identification_tries_by_hour ON identification_tries (hour);
CREATE INDEX services_by_number ON services (number) WHERE number <> '';


CREATE TABLE promises (
    seq         bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    id          uuid PRIMARY KEY,
    customer_id bigint NOT NULL REFERENCES customers,
    call_id     cardless_id,
    amount      numeric(14, 3) NOT NULL CHECK (amount > 0),
    currency    text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    day         date NOT NULL,
    made_at     timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX promises_of_customer ON promises (customer_id, made_at);

CREATE TABLE promise_parts (
    promise_id uuid NOT NULL REFERENCES promises,
    invoice_id bigint NOT NULL REFERENCES invoices,
    amount     numeric(14, 3) NOT NULL CHECK (amount > 0),
    paid_then  numeric(14, 3) NOT NULL,
    PRIMARY KEY (promise_id, invoice_id)
);
COMMENT ON COLUMN promise_parts.paid_then IS 'what was paid of the invoice when it was promised';
CREATE INDEX promise_parts_of_invoice ON promise_parts (invoice_id);

-- What was paid of each part since: by us, by the promised day and later, and elsewhere, which has
-- no date here and is taken to be in time.
CREATE VIEW promises_now AS
SELECT promises.*, parts.invoice_ids, parts.amounts, parts.in_time, parts.late
FROM promises,
LATERAL (
    SELECT array_agg(part.invoice_id ORDER BY part.invoice_id) AS invoice_ids,
           array_agg(part.amount ORDER BY part.invoice_id) AS amounts,
           array_agg(greatest(invoices.paid - part.paid_then - ours.late, 0)
                     ORDER BY part.invoice_id) AS in_time,
           array_agg(ours.late ORDER BY part.invoice_id) AS late
    FROM promise_parts AS part
    JOIN invoices ON invoices.id = part.invoice_id,
    LATERAL (
        SELECT coalesce(sum(allocations.applied), 0) AS late
        FROM allocations JOIN attempts ON attempts.id = allocations.attempt_id
        WHERE allocations.invoice_id = part.invoice_id
          AND attempts.state IN ('captured', 'settled')
          AND attempts.captured_at >= (promises.day + 1)::timestamptz
    ) AS ours
    WHERE part.promise_id = promises.id
) AS parts;

ALTER TABLE calls
    DROP CONSTRAINT calls_outcome_check,
    ADD CONSTRAINT calls_outcome_check CHECK (outcome IN (
        'paid', 'promised', 'not-paid', 'nothing-owed', 'confirming', 'agent', 'hung-up', 'failed'));

-- One caller is one however the number is written, and cannot stop everybody's cards alone.

CREATE FUNCTION one_number(number text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN right(regexp_replace(coalesce(number, ''), '[^0-9]', '', 'g'), 8);
COMMENT ON FUNCTION one_number IS
    'the same for +34600000001, 0034600000001 and 600000001; empty: hidden, or no number';

UPDATE attempts SET tried_by = one_number(tried_by) WHERE tried_at > now() - interval '2 days';
COMMENT ON COLUMN attempts.tried_by IS
    'the caller''s number as one_number has it, empty when hidden; null: nobody called';

CREATE OR REPLACE FUNCTION payer_of(attempt uuid) RETURNS TABLE (tried_in text, tried_by text)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT coalesce(assisted.talk -> 'caller' ->> 'channel_id', attempts.call_id),
           CASE
               WHEN assisted.capture_id IS NOT NULL
                   THEN one_number(assisted.talk -> 'caller' ->> 'number')
               WHEN attempts.call_id IS NOT NULL THEN one_number(calls.caller)
           END
    FROM attempts
    LEFT JOIN assisted_captures AS assisted ON assisted.attempt_id = attempts.id
    LEFT JOIN calls ON calls.id = attempts.call_id
    WHERE attempts.id = attempt;
END;

-- As before, and of how many callers the declined cards were; all who hide their number are one.
DROP FUNCTION breaker_now(interval, interval, uuid);
CREATE FUNCTION breaker_now(span interval, pause interval, besides uuid)
RETURNS TABLE (at timestamptz, opened_at timestamptz, declined bigint, decided bigint,
               trials_under_way bigint, trials_declined bigint, trials_succeeded bigint,
               callers bigint)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT now(), breaker.opened_at, recent.declined, recent.decided,
           trials.under_way, trials.declined, trials.succeeded, recent.callers
    FROM card_breaker AS breaker,
    LATERAL (
        SELECT count(*) FILTER (WHERE state = 'declined') AS declined,
               count(*) FILTER (WHERE NOT is_against(state) OR state = 'declined') AS decided,
               count(DISTINCT coalesce(tried_by, '')) FILTER (WHERE state = 'declined') AS callers
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

ALTER TYPE card_facts ADD ATTRIBUTE callers bigint;
CREATE OR REPLACE FUNCTION card_facts_now(
    attempt uuid, hash text, its_expires text, span interval, pause interval
) RETURNS card_facts
LANGUAGE plpgsql STABLE AS $$  -- whose plans are kept; planning takes longer than the rest of it
DECLARE
    facts card_facts;
BEGIN
    SELECT breaker.at, breaker.opened_at, breaker.declined, breaker.decided,
           breaker.trials_under_way, breaker.trials_declined, breaker.trials_succeeded,
           tries.*, breaker.callers
    INTO facts
    FROM breaker_now(span, pause, attempt) AS breaker,
         card_tries_now(attempt, hash, its_expires) AS tries;
    RETURN facts;
END
$$;

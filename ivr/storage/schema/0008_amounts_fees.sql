-- Amounts that add up, and the day on which money was taken: what settlement reports go by.

-- The last word on the split of a charge: what goes to invoices and the fee are all of it.
CREATE FUNCTION attempt_adds_up() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    changed uuid := to_jsonb(NEW) ->> CASE TG_TABLE_NAME WHEN 'attempts' THEN 'id' ELSE 'attempt_id' END;
BEGIN
    IF (SELECT amount - fee FROM attempts WHERE id = changed)
       IS DISTINCT FROM (SELECT sum(amount) FROM allocations WHERE attempt_id = changed) THEN
        RAISE check_violation USING
            CONSTRAINT = 'attempt_adds_up',
            MESSAGE = 'the allocations and the fee of an attempt are not its amount';
    END IF;
    RETURN NULL;
END
$$;
CREATE CONSTRAINT TRIGGER attempt_adds_up AFTER INSERT OR UPDATE OF amount, fee ON attempts
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION attempt_adds_up();
CREATE CONSTRAINT TRIGGER allocations_add_up AFTER INSERT OR UPDATE OF amount ON allocations
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION attempt_adds_up();

ALTER TABLE attempts ADD COLUMN captured_at timestamptz;
COMMENT ON COLUMN attempts.captured_at IS 'when the money was taken; ended_at moves with the state';
UPDATE attempts SET captured_at = ended_at WHERE confirmation IS NOT NULL;
ALTER TABLE attempts ADD CONSTRAINT money_taken_has_a_day
    CHECK (confirmation IS NULL OR captured_at IS NOT NULL);
CREATE INDEX attempts_by_capture ON attempts (captured_at) WHERE captured_at IS NOT NULL;
CREATE INDEX attempts_gone_back ON attempts (ended_at)
    WHERE state IN ('voided', 'refunded', 'returned');

-- Captures with an agent show the fee apart.
CREATE OR REPLACE VIEW assisted_captures_now AS
SELECT captures.id, captures.call_id, captures.language, captures.fields AS asked,
       captures.brands, captures.slow, captures.opened_at, captures.closed_at, captures.result,
       captures.error_type, captures.brand, captures.last4, captures.expires, captures.token,
       assisted.request_key, assisted.digest, assisted.daemon, assisted.talk, assisted.fields,
       assisted.attempt_id, attempts.order_id, attempts.customer_id, attempts.amount,
       attempts.currency, attempts.state, attempts.confirmation, attempts.bucket, attempts.reason,
       parts.invoice_ids, parts.amounts, attempts.fee
FROM assisted_captures AS assisted
JOIN captures ON captures.id = assisted.capture_id
LEFT JOIN attempts ON attempts.id = assisted.attempt_id
LEFT JOIN LATERAL (
    SELECT array_agg(invoice_id ORDER BY invoice_id) AS invoice_ids,
           array_agg(allocations.amount ORDER BY invoice_id) AS amounts
    FROM allocations WHERE allocations.attempt_id = attempts.id
) AS parts ON true;

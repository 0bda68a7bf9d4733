-- Cards that customers leave with the gateway, and money that staff gives back.

-- What the gateway calls a customer: it must not know the account number.
ALTER TABLE customers ADD COLUMN gateway_ref uuid NOT NULL DEFAULT gen_random_uuid() UNIQUE;

-- Cards kept at the gateway, with the consent to it.
CREATE TABLE cards_on_file (
    id          uuid PRIMARY KEY,
    customer_id bigint NOT NULL REFERENCES customers,
    attempt_id  uuid NOT NULL REFERENCES attempts,
    brand       cardless_text NOT NULL,
    last4       text NOT NULL CHECK (last4 ~ '^[0-9]{4}$'),
    expires     text NOT NULL CHECK (expires ~ '^(0[1-9]|1[0-2])[0-9]{2}$'),
    token       cardless_id,
    kept_at     timestamptz NOT NULL DEFAULT now(),
    removed_at  timestamptz,
    removed_for text CHECK (removed_for IN ('caller', 'expired', 'refused')),
    CHECK ((removed_at IS NULL) = (removed_for IS NULL)),
    CHECK (token IS NOT NULL OR removed_at IS NOT NULL)
);
COMMENT ON COLUMN cards_on_file.attempt_id IS 'the payment that it was keyed for';
COMMENT ON COLUMN cards_on_file.token IS
    'the gateway''s vaulted payment method; forgotten when the gateway has deleted it';
CREATE INDEX cards_of_customer ON cards_on_file (customer_id) WHERE removed_at IS NULL;
CREATE INDEX cards_to_delete ON cards_on_file (removed_at)
    WHERE removed_at IS NOT NULL AND token IS NOT NULL;

CREATE TABLE card_consents (
    attempt_id  uuid PRIMARY KEY REFERENCES attempts,
    customer_id bigint NOT NULL REFERENCES customers,
    call_id     cardless_id NOT NULL,
    wording     text NOT NULL,
    language    text NOT NULL CHECK (language IN ('en', 'es')),
    agreed_at   timestamptz NOT NULL DEFAULT now()
);
COMMENT ON COLUMN customers.gateway_ref IS 'of 36 characters: the gateway takes no more';
COMMENT ON TABLE card_consents IS 'who agreed when, in which words, to have the card of a payment kept';
COMMENT ON COLUMN card_consents.wording IS 'id and version of the phrase that was asked with';

-- Money that staff gave back, or asked for.
CREATE TABLE refunds (
    id             uuid PRIMARY KEY,
    attempt_id     uuid NOT NULL REFERENCES attempts,
    kind           text NOT NULL CHECK (kind IN ('void', 'refund')),
    amount         numeric(14, 3) NOT NULL CHECK (amount > 0),
    reason         cardless_text NOT NULL CHECK (reason <> ''),
    who            cardless_text NOT NULL CHECK (who <> ''),
    request_key    cardless_id NOT NULL UNIQUE,
    digest         text NOT NULL CHECK (digest ~ '^[0-9a-f]{64}$'),
    reopen         boolean NOT NULL,
    state          text NOT NULL DEFAULT 'asked'
                   CHECK (state IN ('asked', 'done', 'refused', 'unknown')),
    transaction_id text,
    why            cardless_text,
    asked_at       timestamptz NOT NULL DEFAULT now(),
    ended_at       timestamptz,
    CHECK ((state = 'done') = (transaction_id IS NOT NULL)),
    CHECK ((state IN ('done', 'refused')) = (ended_at IS NOT NULL))
);
COMMENT ON COLUMN refunds.id IS 'also the gateway''s request key';
COMMENT ON COLUMN refunds.who IS 'the name of an API key, or "cli:" and a login';
COMMENT ON COLUMN refunds.request_key IS 'the Idempotency-Key it was asked for with';
COMMENT ON COLUMN refunds.digest IS 'of what was asked for with that key';
COMMENT ON COLUMN refunds.reopen IS 'whether the invoices are owed again';
CREATE INDEX refunds_of_attempt ON refunds (attempt_id);
CREATE INDEX refunds_open ON refunds (asked_at) WHERE state IN ('asked', 'unknown');
CREATE INDEX refunds_done ON refunds (ended_at) WHERE state = 'done';
ALTER TABLE allocations
    ADD COLUMN reopened numeric(14, 3) NOT NULL DEFAULT 0,
    ADD CONSTRAINT reopened_within_applied CHECK (reopened >= 0 AND reopened <= coalesce(applied, 0));
COMMENT ON COLUMN allocations.reopened IS 'what of applied went back, so that the invoice is owed again';

-- Every step of every refund, by a trigger: nobody forgets to write one, and nobody changes one.
CREATE TABLE refund_steps (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    refund_id uuid NOT NULL REFERENCES refunds,
    state     text NOT NULL,
    why       cardless_text,
    at        timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX refund_steps_of_refund ON refund_steps (refund_id);

CREATE FUNCTION keep_refund_step() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND (NEW.id, NEW.attempt_id, NEW.kind, NEW.amount, NEW.reason, NEW.who,
                             NEW.request_key, NEW.reopen, NEW.asked_at)
        IS DISTINCT FROM (OLD.id, OLD.attempt_id, OLD.kind, OLD.amount, OLD.reason, OLD.who,
                          OLD.request_key, OLD.reopen, OLD.asked_at) THEN
        RAISE EXCEPTION 'what was asked for stays as it is';
    END IF;
    IF TG_OP = 'INSERT' OR (NEW.state, NEW.why) IS DISTINCT FROM (OLD.state, OLD.why) THEN
        INSERT INTO refund_steps (refund_id, state, why) VALUES (NEW.id, NEW.state, NEW.why);
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER refunds_keep_steps AFTER INSERT OR UPDATE ON refunds
    FOR EACH ROW EXECUTE FUNCTION keep_refund_step();

CREATE FUNCTION refuse_to_forget() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'TRUNCATE' AND NOT EXISTS (SELECT FROM refunds) THEN
        RETURN NULL;  -- customers may be emptied as long as nobody was given anything back
    END IF;
    RAISE EXCEPTION 'the trail of refunds is only ever added to';
END
$$;
CREATE TRIGGER refund_steps_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON refund_steps
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_to_forget();
CREATE TRIGGER refunds_stay BEFORE DELETE OR TRUNCATE ON refunds
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_to_forget();

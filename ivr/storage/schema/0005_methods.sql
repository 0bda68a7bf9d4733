-- More means of payment than a card, the fee, and what may become of a payment after its capture.

ALTER TABLE attempts
    ADD COLUMN method text NOT NULL DEFAULT 'card'
        CHECK (method IN ('card', 'card-on-file', 'bank-account', 'paypal')),
    ADD COLUMN fee numeric(14, 3) NOT NULL DEFAULT 0,
    ADD COLUMN account_type text CHECK (account_type IN ('checking', 'savings')),
    ADD COLUMN payer cardless_text,
    ADD COLUMN card_on_file_id uuid,
    ADD COLUMN keep_ref cardless_id,
    ADD CONSTRAINT fee_within_amount CHECK (fee >= 0 AND fee < amount),
    DROP CONSTRAINT attempts_state_check,
    ADD CONSTRAINT attempts_state_check CHECK (state IN (
        'created', 'charging', 'captured', 'declined', 'unknown', 'failed', 'canceled',
        'settled', 'voided', 'refunded', 'returned')),
    ADD CONSTRAINT money_taken_has_a_transaction CHECK (
        state NOT IN ('settled', 'voided', 'refunded', 'returned')
        OR (transaction_id IS NOT NULL AND confirmation IS NOT NULL));
COMMENT ON COLUMN attempts.fee IS 'part of amount; the allocations are the rest of it';
COMMENT ON COLUMN attempts.token IS
    'what was charged, kept while the same charge may have to be sent again';
COMMENT ON COLUMN attempts.payer IS 'masked, as it may be shown; of PayPal only';
COMMENT ON COLUMN attempts.keep_ref IS
    'the gateway''s customer that was to keep the card: part of what was sent';

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
COMMENT ON TABLE card_consents IS 'who agreed when, in which words, to have the card of a payment kept';
COMMENT ON COLUMN card_consents.wording IS 'id and version of the phrase that was asked with';

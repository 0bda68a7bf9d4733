-- Bank accounts: keyed in the secure part, debited under a mandate, settled or returned days later.

ALTER TABLE captures
    ADD COLUMN holder cardless_text,
    ADD COLUMN mandate cardless_text,
    ADD COLUMN account_type text CHECK (account_type IN ('checking', 'savings')),
    ADD CONSTRAINT account_has_a_holder CHECK ((holder IS NULL) = (mandate IS NULL)),
    ADD CONSTRAINT account_or_card CHECK (account_type IS NULL OR brand IS NULL);
COMMENT ON COLUMN captures.holder IS 'whose bank account is asked for; null: a card is';

ALTER TABLE attempts
    ADD COLUMN waits_for_settlement boolean NOT NULL DEFAULT false,
    ADD COLUMN settled_at timestamptz;
COMMENT ON COLUMN attempts.waits_for_settlement IS
    'its lines come back when it is settled, not when it is captured';
CREATE INDEX attempts_of_transaction ON attempts (transaction_id);

CREATE TABLE mandates (
    attempt_id  uuid PRIMARY KEY REFERENCES attempts,
    call_id     cardless_id NOT NULL,
    wording     cardless_text NOT NULL,
    language    text NOT NULL CHECK (language IN ('en', 'es')),
    accepted_at timestamptz NOT NULL,
    how         text NOT NULL CHECK (how IN ('clip', 'notice')),
    reference   cardless_text NOT NULL
);
COMMENT ON TABLE mandates IS 'what callers agreed to have debited, word for word, and how that is proved';
COMMENT ON COLUMN mandates.reference IS
    'where in the recording of the call the clip is; or the ways by which the notice goes';

-- What the gateway told by webhook, each notification once.
CREATE TABLE gateway_notifications (
    digest         text PRIMARY KEY CHECK (digest ~ '^[a-p]{64}$'),
    kind           cardless_text NOT NULL,
    transaction_id cardless_id,
    attempt_id     uuid REFERENCES attempts,
    happened_at    timestamptz NOT NULL,
    received_at    timestamptz NOT NULL DEFAULT now(),
    became         text NOT NULL CHECK (became IN ('settled', 'returned', 'ignored'))
);
COMMENT ON COLUMN gateway_notifications.digest IS 'of its payload, in letters';
CREATE INDEX gateway_notifications_of_attempt ON gateway_notifications (attempt_id);

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

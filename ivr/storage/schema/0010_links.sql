-- Links to the pay page, and which attempts were made by them.

CREATE TABLE links (
    id          bigint PRIMARY KEY,
    customer_id bigint NOT NULL REFERENCES customers,
    purpose     text NOT NULL CHECK (purpose IN ('pay', 'paypal', 'reminder')),
    call_id     cardless_id,
    created_at  timestamptz NOT NULL DEFAULT now(),
    expires_at  timestamptz NOT NULL,
    revoked_at  timestamptz
);
COMMENT ON COLUMN links.id IS 'drawn by chance: what the address holds beside its signature';
CREATE INDEX links_of_customer ON links (customer_id);
CREATE INDEX links_of_call ON links (call_id);

CREATE TABLE link_invoices (
    link_id    bigint NOT NULL REFERENCES links,
    invoice_id bigint NOT NULL REFERENCES invoices,
    amount     numeric(14, 3) CHECK (amount > 0),
    PRIMARY KEY (link_id, invoice_id)
);
COMMENT ON COLUMN link_invoices.amount IS 'the part that was chosen; null: all that is due';
CREATE INDEX link_invoices_of_invoice ON link_invoices (invoice_id);

CREATE TABLE link_attempts (
    link_id    bigint NOT NULL REFERENCES links,
    key        uuid NOT NULL,
    attempt_id uuid NOT NULL UNIQUE REFERENCES attempts,
    payment_id cardless_id,
    taken_at   timestamptz,
    PRIMARY KEY (link_id, key)
);
COMMENT ON COLUMN link_attempts.key IS 'made by the page for one press of the button';
COMMENT ON COLUMN link_attempts.payment_id IS 'PayPal''s, which the payer approves there';
COMMENT ON COLUMN link_attempts.taken_at IS 'one process charges it, once';

ALTER TABLE attempts ADD COLUMN by_telephone boolean NOT NULL DEFAULT true;
COMMENT ON COLUMN attempts.by_telephone IS 'whether a card was given by telephone: part of what was sent';

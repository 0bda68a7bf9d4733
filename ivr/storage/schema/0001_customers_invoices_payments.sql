-- The whole first shape: who owes, what, the attempts to pay it, the calls, and what is to be told afterwards.

-- Text that may hold anything but a card number. A domain and not a CHECK of the table: PostgreSQL
-- writes the whole failing row into its log for a table's CHECK, and only the name of a domain's.
CREATE FUNCTION passes_luhn(digits text) RETURNS boolean
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN (
    SELECT sum(CASE WHEN place % 2 = 0 THEN digit * 2 - CASE WHEN digit > 4 THEN 9 ELSE 0 END
                    ELSE digit END) % 10 = 0
    FROM generate_series(1, length(digits)) AS place,
         LATERAL (SELECT substr(digits, length(digits) - place + 1, 1)::int AS digit) AS one
);

-- Looks at unbroken runs, at runs with single spaces, and at groups of four with hyphens. The
-- groups of a UUID are no such runs: its longest is 12, and its groups of four touch other groups.
CREATE FUNCTION holds_card_number(written text) RETURNS boolean
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN EXISTS (
    SELECT FROM unnest(ARRAY[
        '(?<![0-9])[0-9]{13,19}(?![0-9])',
        '(?<![0-9])[0-9](?: ?[0-9]){12,18}(?![0-9])',
        '(?<![0-9A-Za-z-])[0-9]{4}-[0-9]{4,6}-[0-9]{4,5}(?:-[0-9]{1,7})?(?![0-9A-Za-z-])'
    ]) AS shape,
    LATERAL regexp_matches(written, shape, 'g') AS found,
    LATERAL (SELECT regexp_replace(found[1], '[ -]', '', 'g') AS digits) AS plain
    WHERE length(digits) BETWEEN 13 AND 19 AND passes_luhn(digits)
);

CREATE DOMAIN cardless_text AS text
    CONSTRAINT no_card_number CHECK (NOT holds_card_number(VALUE));
CREATE DOMAIN cardless_jsonb AS jsonb
    CONSTRAINT no_card_number CHECK (NOT holds_card_number(VALUE::text));
-- For ids of ours and tokens of the gateway: one in 300 UUIDs written without hyphens holds a run
-- of digits that passes Luhn, so only a number that stands alone is refused.
CREATE DOMAIN cardless_id AS text
    CONSTRAINT no_card_number CHECK (
        NOT (VALUE ~ '^[0-9 -]{13,37}$' AND holds_card_number(VALUE))
    );


CREATE TABLE customers (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    external_id    text NOT NULL UNIQUE,
    account_number text NOT NULL UNIQUE CHECK (account_number ~ '^[0-9]{4,10}$'),
    kind           text NOT NULL CHECK (kind IN ('person', 'company')),
    name           cardless_text NOT NULL CHECK (name <> ''),
    language       text NOT NULL CHECK (language IN ('en', 'es')),
    postal_code    text NOT NULL CHECK (postal_code ~ '^[0-9]{3,10}$'),
    phone          text NOT NULL DEFAULT '' CHECK (phone ~ '^(\+[1-9][0-9]{6,14})?$'),
    email          cardless_text NOT NULL DEFAULT '',
    created_at     timestamptz NOT NULL DEFAULT now()
);
COMMENT ON COLUMN customers.external_id IS 'the biller''s own key: what imports and REST go by';

CREATE TABLE services (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    external_id   text NOT NULL UNIQUE,
    customer_id   bigint NOT NULL REFERENCES customers,
    label         cardless_text NOT NULL CHECK (label <> ''),
    number        text NOT NULL DEFAULT '' CHECK (number ~ '^(\+[1-9][0-9]{6,14})?$'),
    status        text NOT NULL CHECK (status IN ('active', 'suspended', 'closed')),
    suspended_for text CHECK (suspended_for IN ('non-payment', 'requested', 'fraud')),
    CHECK ((status = 'suspended') = (suspended_for IS NOT NULL))
);
CREATE INDEX services_of_customer ON services (customer_id);

CREATE TABLE invoices (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    number     cardless_text NOT NULL UNIQUE CHECK (number <> ''),
    service_id bigint NOT NULL REFERENCES services,
    amount     numeric(14, 3) NOT NULL CHECK (amount >= 0),
    currency   text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    paid       numeric(14, 3) NOT NULL DEFAULT 0,
    due_date   date NOT NULL,
    CONSTRAINT paid_within_amount CHECK (paid BETWEEN 0 AND amount)
);
CREATE INDEX invoices_of_service ON invoices (service_id);
CREATE INDEX unpaid_invoices_of_service ON invoices (service_id) WHERE paid < amount;


CREATE TABLE attempts (
    seq            bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    id             uuid PRIMARY KEY,
    order_id       text NOT NULL UNIQUE,
    customer_id    bigint NOT NULL REFERENCES customers,
    call_id        cardless_id,
    amount         numeric(14, 3) NOT NULL CHECK (amount > 0),
    currency       text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    state          text NOT NULL CHECK (state IN (
                       'created', 'charging', 'captured', 'declined', 'unknown', 'failed', 'canceled')),
    token          cardless_id,
    brand          cardless_text,
    last4          text CHECK (last4 ~ '^[0-9]{4}$'),
    expires        text CHECK (expires ~ '^(0[1-9]|1[0-2])[0-9]{2}$'),
    transaction_id text,
    processor_code cardless_text,
    processor_text cardless_text,
    bucket         text CHECK (bucket IN ('soft', 'hard', 'fix')),
    confirmation   text CHECK (confirmation ~ '^[0-9]{8}$'),
    reason         cardless_text,
    created_at     timestamptz NOT NULL DEFAULT now(),
    charging_at    timestamptz,
    ended_at       timestamptz,
    CHECK (state <> 'captured' OR (transaction_id IS NOT NULL AND confirmation IS NOT NULL)),
    CHECK (token IS NULL OR state IN ('charging', 'unknown'))
);
COMMENT ON COLUMN attempts.id IS 'also the gateway''s request key';
COMMENT ON COLUMN attempts.seq IS 'the cursor of lists';
CREATE INDEX attempts_open ON attempts (charging_at) WHERE state IN ('charging', 'unknown');
CREATE INDEX attempts_of_call ON attempts (call_id);
CREATE INDEX attempts_of_customer ON attempts (customer_id);

CREATE TABLE allocations (
    attempt_id uuid NOT NULL REFERENCES attempts,
    invoice_id bigint NOT NULL REFERENCES invoices,
    amount     numeric(14, 3) NOT NULL CHECK (amount > 0),
    applied    numeric(14, 3) CHECK (applied BETWEEN 0 AND amount),
    holds      boolean NOT NULL DEFAULT false,
    PRIMARY KEY (attempt_id, invoice_id)
);
COMMENT ON COLUMN allocations.holds IS 'true while the attempt is charging or unknown';
COMMENT ON COLUMN allocations.applied IS
    'what the capture paid of the invoice: less than amount if the invoice was paid elsewhere meanwhile';
CREATE INDEX allocations_of_invoice ON allocations (invoice_id);
-- The last word on double payment: one attempt at a time may be charging for an invoice.
CREATE UNIQUE INDEX one_charge_an_invoice ON allocations (invoice_id) WHERE holds;


CREATE TABLE captures (
    id         uuid PRIMARY KEY,
    call_id    cardless_id NOT NULL,
    language   text NOT NULL CHECK (language IN ('en', 'es')),
    fields     text[] NOT NULL,
    brands     text[] NOT NULL,
    slow       boolean NOT NULL,
    result     cardless_text,
    error_type cardless_text,
    brand      cardless_text,
    last4      text CHECK (last4 ~ '^[0-9]{4}$'),
    expires    text CHECK (expires ~ '^(0[1-9]|1[0-2])[0-9]{2}$'),
    token      cardless_id,
    opened_at  timestamptz NOT NULL DEFAULT now(),
    closed_at  timestamptz,
    CHECK ((result IS NULL) = (closed_at IS NULL)),
    CHECK ((result IS NOT DISTINCT FROM 'success') = (last4 IS NOT NULL))
);
COMMENT ON COLUMN captures.token IS
    'the gateway''s single-use payment method; forgotten when a charge takes it or the call ends';
CREATE INDEX captures_of_call ON captures (call_id);


-- caller, dialled, channel_id and sip_call_id come from the trunk: telephone numbers and foreign
-- ids of up to 15 digits and more, of which one in ten passes Luhn; no digit keyed in a call gets there.
CREATE TABLE calls (
    seq         bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    id          cardless_id PRIMARY KEY,
    channel_id  text NOT NULL,
    sip_call_id text NOT NULL,
    caller      text,
    dialled     text NOT NULL,
    node        text NOT NULL,
    arrived_at  timestamptz NOT NULL,
    outcome     text CHECK (outcome IN (
                    'paid', 'not-paid', 'nothing-owed', 'confirming', 'agent', 'hung-up', 'failed')),
    language    text CHECK (language IN ('en', 'es')),
    customer_id bigint REFERENCES customers,
    ended_at    timestamptz,
    trail       cardless_jsonb NOT NULL DEFAULT '[]'
);
CREATE INDEX calls_by_sip_call_id ON calls (sip_call_id);
CREATE INDEX calls_of_customer ON calls (customer_id);


-- The outbox: written in the transaction of what happened, delivered afterwards.
CREATE TABLE events (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    topic        text NOT NULL CHECK (topic IN ('webhook', 'text')),
    kind         text NOT NULL CHECK (kind ~ '^[a-z-]+(\.[a-z-]+)?$'),
    attempt_id   uuid REFERENCES attempts,
    call_id      cardless_id,
    payload      cardless_jsonb NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    delivered_at timestamptz
);
COMMENT ON COLUMN events.payload IS 'ids only: who delivers reads the rest when it is sent';
CREATE INDEX events_of_attempt ON events (attempt_id);
CREATE INDEX events_of_call ON events (call_id);
CREATE INDEX events_waiting ON events (topic, id) WHERE delivered_at IS NULL;

-- Who is told of what has happened, and how far that got.

ALTER TABLE events
    DROP CONSTRAINT events_topic_check,
    ADD CONSTRAINT events_topic_check CHECK (topic IN ('webhook', 'text', 'mail')),
    ADD COLUMN address text CHECK (address ~ '^(\+[1-9][0-9]{6,14}|[^[:space:]@]+@[^[:space:]@]+)$'),
    ADD COLUMN until timestamptz,
    ADD COLUMN planned_at timestamptz;
COMMENT ON COLUMN events.address IS
    'another telephone number than the customer''s own: no card number fits, but one in ten passes Luhn';
COMMENT ON COLUMN events.until IS 'it is not told after this';
COMMENT ON COLUMN events.planned_at IS 'when its deliveries were written down';
-- What happened before anybody delivered is not told years later.
UPDATE events SET planned_at = now();
DROP INDEX events_waiting;
ALTER TABLE events DROP COLUMN delivered_at;
CREATE INDEX events_unplanned ON events (id) WHERE planned_at IS NULL;

-- Whoever writes an event wakes who delivers, when the transaction commits.
CREATE FUNCTION wake_messages() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('saldo_messages', '');
    RETURN NULL;
END
$$;
CREATE TRIGGER events_wake_messages AFTER INSERT ON events
    FOR EACH STATEMENT EXECUTE FUNCTION wake_messages();

-- A card taken with an agent is news for the company's programs. A trigger with our rights, since
-- the secure process, which closes captures, may not write events.
CREATE FUNCTION tell_of_capture() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO events (topic, kind, call_id, payload)
    SELECT 'webhook', 'capture.ended', NEW.call_id,
           jsonb_build_object('capture', NEW.id, 'result', NEW.result)
    WHERE EXISTS (SELECT FROM assisted_captures WHERE capture_id = NEW.id);
    RETURN NULL;
END
$$;
CREATE TRIGGER captures_tell AFTER UPDATE OF closed_at ON captures
    FOR EACH ROW WHEN (OLD.closed_at IS NULL AND NEW.closed_at IS NOT NULL)
    EXECUTE FUNCTION tell_of_capture();

-- Where webhooks go.
CREATE TABLE webhook_endpoints (
    id              uuid PRIMARY KEY,
    url             cardless_text NOT NULL CHECK (url ~ '^https?://'),
    kinds           text[] NOT NULL DEFAULT '{}',
    secret          text NOT NULL CHECK (secret ~ '^whsec_'),
    previous_secret text,
    previous_until  timestamptz,
    state           text NOT NULL DEFAULT 'enabled'
                    CHECK (state IN ('enabled', 'disabled', 'deleted')),
    why             cardless_text,
    created_at      timestamptz NOT NULL DEFAULT now()
);
COMMENT ON COLUMN webhook_endpoints.kinds IS 'empty: all';
COMMENT ON COLUMN webhook_endpoints.secret IS 'signs, so it cannot be kept as a hash';

-- One event on its way to one target.
CREATE TABLE deliveries (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event_id      bigint NOT NULL REFERENCES events,
    attempt_id    uuid,
    channel       text NOT NULL CHECK (channel IN ('webhook', 'soap', 'text', 'mail')),
    endpoint_id   uuid REFERENCES webhook_endpoints,
    target        text NOT NULL GENERATED ALWAYS AS (coalesce(endpoint_id::text, channel)) STORED,
    state         text NOT NULL DEFAULT 'waiting'
                  CHECK (state IN ('waiting', 'delivered', 'skipped', 'dead')),
    attempts      int NOT NULL DEFAULT 0,
    waiting_since timestamptz NOT NULL DEFAULT now(),
    next_at       timestamptz NOT NULL DEFAULT now(),
    claim         uuid,
    error         cardless_text,
    answer        cardless_text,
    ended_at      timestamptz,
    UNIQUE (event_id, target),
    CHECK ((channel = 'webhook') = (endpoint_id IS NOT NULL)),
    CHECK ((state = 'waiting') = (ended_at IS NULL))
);
COMMENT ON COLUMN deliveries.attempt_id IS 'the event''s: what is told of one payment keeps its order';
COMMENT ON COLUMN deliveries.next_at IS 'while it is being tried: when whoever tries has lost it';
COMMENT ON COLUMN deliveries.claim IS 'of who tries it now';
COMMENT ON COLUMN deliveries.answer IS 'what the other side said last';
CREATE INDEX deliveries_due ON deliveries (target, next_at, id) WHERE state = 'waiting';
CREATE INDEX deliveries_in_order ON deliveries (attempt_id, target, id) WHERE state = 'waiting';
CREATE INDEX deliveries_of_state ON deliveries (state, id);

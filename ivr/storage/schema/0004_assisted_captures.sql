-- Captures with an agent: what the secure process need not know of them, and may not see.

CREATE TABLE assisted_captures (
    capture_id  uuid PRIMARY KEY REFERENCES captures,
    request_key cardless_id NOT NULL UNIQUE,
    digest      text NOT NULL CHECK (digest ~ '^[0-9a-f]{64}$'),
    daemon      text NOT NULL,
    talk        jsonb NOT NULL,
    attempt_id  uuid REFERENCES attempts,
    fields      cardless_jsonb NOT NULL
);
COMMENT ON COLUMN assisted_captures.request_key IS 'the Idempotency-Key it was asked for with';
COMMENT ON COLUMN assisted_captures.digest IS 'of what was asked for with that key';
COMMENT ON COLUMN assisted_captures.daemon IS 'the application name of the daemon that watches it';
COMMENT ON COLUMN assisted_captures.talk IS
    'the two channels: telephone numbers and foreign ids, of which one in ten passes Luhn';
COMMENT ON COLUMN assisted_captures.fields IS 'state, masked value, attempt and error of each field';
CREATE INDEX assisted_captures_of_daemon ON assisted_captures (daemon);

-- One of them as it is now, with its capture and its payment.
CREATE VIEW assisted_captures_now AS
SELECT captures.id, captures.call_id, captures.language, captures.fields AS asked,
       captures.brands, captures.slow, captures.opened_at, captures.closed_at, captures.result,
       captures.error_type, captures.brand, captures.last4, captures.expires, captures.token,
       assisted.request_key, assisted.digest, assisted.daemon, assisted.talk, assisted.fields,
       assisted.attempt_id, attempts.order_id, attempts.customer_id, attempts.amount,
       attempts.currency, attempts.state, attempts.confirmation, attempts.bucket, attempts.reason,
       parts.invoice_ids, parts.amounts
FROM assisted_captures AS assisted
JOIN captures ON captures.id = assisted.capture_id
LEFT JOIN attempts ON attempts.id = assisted.attempt_id
LEFT JOIN LATERAL (
    SELECT array_agg(invoice_id ORDER BY invoice_id) AS invoice_ids,
           array_agg(allocations.amount ORDER BY invoice_id) AS amounts
    FROM allocations WHERE allocations.attempt_id = attempts.id
) AS parts ON true;

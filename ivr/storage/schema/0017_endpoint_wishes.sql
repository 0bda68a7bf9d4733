-- The same wish for an endpoint, or for a new secret, sent twice because its answer was lost.

ALTER TABLE webhook_endpoints
    ADD COLUMN request_key  cardless_id UNIQUE,
    ADD COLUMN rotation_key cardless_id;
COMMENT ON COLUMN webhook_endpoints.request_key IS 'the Idempotency-Key it was asked for with';
COMMENT ON COLUMN webhook_endpoints.rotation_key IS 'that of its last new secret';

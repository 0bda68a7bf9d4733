-- The same wish for a message once more, or for an endpoint to take webhooks again, sent twice because
-- its answer was lost.

ALTER TABLE deliveries ADD COLUMN redelivery_key cardless_id;
COMMENT ON COLUMN deliveries.redelivery_key IS
    'the Idempotency-Key with which it was asked for once more, the last time';
ALTER TABLE webhook_endpoints ADD COLUMN enabling_key cardless_id;
COMMENT ON COLUMN webhook_endpoints.enabling_key IS 'that with which it was enabled the last time';

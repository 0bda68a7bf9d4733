-- Links that staff asks for, and who made them useless.

ALTER TABLE links
    ADD COLUMN asked_by    cardless_text CHECK (asked_by <> ''),
    ADD COLUMN request_key cardless_id UNIQUE,
    ADD COLUMN digest      text CHECK (digest ~ '^[0-9a-f]{64}$'),
    ADD COLUMN revoked_by  cardless_text,
    ADD CHECK ((request_key IS NULL) = (digest IS NULL)),
    ADD CHECK (request_key IS NULL OR asked_by IS NOT NULL);
COMMENT ON COLUMN links.asked_by IS 'the name of an API key; null: a call';
COMMENT ON COLUMN links.request_key IS 'the Idempotency-Key it was asked for with';
COMMENT ON COLUMN links.digest IS 'of what was asked for with that key';

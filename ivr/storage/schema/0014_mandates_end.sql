-- How a mandate is proved once the call is over, and when its bank account leaves the gateway.

ALTER TABLE mandates
    ADD COLUMN proved_at timestamptz,
    ADD COLUMN look_at timestamptz DEFAULT now();
COMMENT ON COLUMN mandates.proved_at IS
    'of a clip: it was found in the recording of the call; null: nobody has looked yet, or a notice is the proof';
COMMENT ON COLUMN mandates.look_at IS
    'when to look next whether the gateway may forget the account; null: it has forgotten it';
CREATE INDEX mandates_unproved ON mandates (accepted_at) WHERE how = 'clip' AND proved_at IS NULL;
CREATE INDEX mandates_to_forget ON mandates (look_at) WHERE look_at IS NOT NULL;

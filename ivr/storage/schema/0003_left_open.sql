-- What a crash leaves open is looked for every half minute: it must be found without reading everything.

CREATE INDEX calls_open ON calls (arrived_at) WHERE ended_at IS NULL;
CREATE INDEX captures_with_token ON captures (opened_at) WHERE token IS NOT NULL;

-- Old rows are found by their age and deleted once a day.

CREATE TABLE tidyings (
    day      date PRIMARY KEY,
    deleted  bigint NOT NULL,
    ended_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE tidyings IS 'the days on which some node has deleted what was old';

CREATE INDEX deliveries_arrived ON deliveries (ended_at) WHERE state IN ('delivered', 'skipped');
CREATE INDEX deliveries_dead ON deliveries (ended_at) WHERE state = 'dead';
CREATE INDEX events_by_age ON events (created_at);
CREATE INDEX links_by_age ON links (expires_at);
CREATE INDEX captures_by_age ON captures (opened_at);
CREATE INDEX notifications_ignored ON gateway_notifications (received_at) WHERE became = 'ignored';
CREATE INDEX calls_by_age ON calls (arrived_at);
CREATE INDEX promises_of_call ON promises (call_id);

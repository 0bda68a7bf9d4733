-- Old rows that nobody needs any more, deleted in batches: each statement looks at so many ($3) of what
-- is older than $1 days, from the moment $2 on, and says where it came to (no moment: it is through)
-- and how many it deleted. Payments, refunds, mandates, consents and promises are never deleted.

-- name: lock_tidying
-- One node at a time; until the connection ends.
SELECT pg_try_advisory_lock(hashtext('saldo-tidying')) AS is_ours

-- name: tidied
-- Whether that was done on this day.
SELECT day FROM tidyings WHERE day = $1::date

-- name: keep_tidying
-- It is done for this day; and that of long ago is no news.
WITH forgotten AS (
    DELETE FROM tidyings WHERE day < $1::date - 365
)
INSERT INTO tidyings (day, deleted) VALUES ($1::date, $2::bigint) ON CONFLICT DO NOTHING

-- name: tidy_deliveries
-- Messages that arrived, or that nobody was to get.
WITH old AS (
    SELECT id, ended_at AS at FROM deliveries
    WHERE state IN ('delivered', 'skipped')
      AND ended_at < now() - make_interval(days => $1::int)
      AND ended_at > coalesce($2::timestamptz, '-infinity')
    ORDER BY ended_at FETCH FIRST ($3::int) ROWS WITH TIES
), gone AS (
    DELETE FROM deliveries USING old
    WHERE deliveries.id = old.id AND deliveries.state IN ('delivered', 'skipped')
    RETURNING 1
)
SELECT (SELECT max(at) FROM old) AS came_to, (SELECT count(*) FROM gone) AS deleted

-- name: tidy_dead_letters
-- Messages that never arrived, and that nobody sent again.
WITH old AS (
    SELECT id, ended_at AS at FROM deliveries
    WHERE state = 'dead'
      AND ended_at < now() - make_interval(days => $1::int)
      AND ended_at > coalesce($2::timestamptz, '-infinity')
    ORDER BY ended_at FETCH FIRST ($3::int) ROWS WITH TIES
), gone AS (
    DELETE FROM deliveries USING old
    WHERE deliveries.id = old.id AND deliveries.state = 'dead'
    RETURNING 1
)
SELECT (SELECT max(at) FROM old) AS came_to, (SELECT count(*) FROM gone) AS deleted

-- name: tidy_events
-- What was told to everybody. Which lines a payment brought back is kept: a bank may return it, and
-- then they are suspended again.
WITH old AS (
    SELECT id, created_at AS at FROM events
    WHERE created_at < now() - make_interval(days => $1::int)
      AND created_at > coalesce($2::timestamptz, '-infinity')
    ORDER BY created_at FETCH FIRST ($3::int) ROWS WITH TIES
), gone AS (
    DELETE FROM events USING old
    WHERE events.id = old.id AND events.planned_at IS NOT NULL
      AND events.kind <> 'service.reactivated'
      AND NOT EXISTS (SELECT FROM deliveries WHERE deliveries.event_id = events.id)
    RETURNING 1
)
SELECT (SELECT max(at) FROM old) AS came_to, (SELECT count(*) FROM gone) AS deleted

-- name: tidy_links
-- Links that have expired, but those that a payment was tried with, and those that staff asked for or
-- revoked: they are part of a trail.
WITH old AS (
    SELECT id, expires_at AS at, coalesce(asked_by, revoked_by) IS NOT NULL AS is_of_staff FROM links
    WHERE expires_at < now() - make_interval(days => $1::int)
      AND expires_at > coalesce($2::timestamptz, '-infinity')
    ORDER BY expires_at FETCH FIRST ($3::int) ROWS WITH TIES
), unused AS (
    SELECT id FROM old
    WHERE NOT is_of_staff
      AND NOT EXISTS (SELECT FROM link_attempts WHERE link_attempts.link_id = old.id)
), invoices_gone AS (
    DELETE FROM link_invoices USING unused WHERE link_invoices.link_id = unused.id
), gone AS (
    DELETE FROM links USING unused WHERE links.id = unused.id
    RETURNING 1
)
SELECT (SELECT max(at) FROM old) AS came_to, (SELECT count(*) FROM gone) AS deleted

-- name: tidy_captures
-- Fields that were asked for, and the requests for those with an agent, with their keys; not one
-- whose token somebody has to take back still.
WITH old AS (
    SELECT id, opened_at AS at FROM captures
    WHERE opened_at < now() - make_interval(days => $1::int)
      AND opened_at > coalesce($2::timestamptz, '-infinity')
    ORDER BY opened_at FETCH FIRST ($3::int) ROWS WITH TIES
), over AS (
    SELECT captures.id FROM old JOIN captures ON captures.id = old.id WHERE captures.token IS NULL
), requests_gone AS (
    DELETE FROM assisted_captures USING over WHERE assisted_captures.capture_id = over.id
), gone AS (
    DELETE FROM captures USING over WHERE captures.id = over.id
    RETURNING 1
)
SELECT (SELECT max(at) FROM old) AS came_to, (SELECT count(*) FROM gone) AS deleted

-- name: tidy_notifications
-- What the gateway told and nothing came of.
WITH old AS (
    SELECT digest, received_at AS at FROM gateway_notifications
    WHERE became = 'ignored'
      AND received_at < now() - make_interval(days => $1::int)
      AND received_at > coalesce($2::timestamptz, '-infinity')
    ORDER BY received_at FETCH FIRST ($3::int) ROWS WITH TIES
), gone AS (
    DELETE FROM gateway_notifications AS told USING old WHERE told.digest = old.digest
    RETURNING 1
)
SELECT (SELECT max(at) FROM old) AS came_to, (SELECT count(*) FROM gone) AS deleted

-- name: tidy_calls
-- Calls in which nothing was to be charged and nothing was promised.
WITH old AS (
    SELECT id, arrived_at AS at FROM calls
    WHERE arrived_at < now() - make_interval(days => $1::int)
      AND arrived_at > coalesce($2::timestamptz, '-infinity')
    ORDER BY arrived_at FETCH FIRST ($3::int) ROWS WITH TIES
), gone AS (
    DELETE FROM calls USING old
    WHERE calls.id = old.id AND calls.ended_at IS NOT NULL
      AND NOT EXISTS (SELECT FROM attempts WHERE attempts.call_id = calls.id)
      AND NOT EXISTS (SELECT FROM promises WHERE promises.call_id = calls.id)
    RETURNING 1
)
SELECT (SELECT max(at) FROM old) AS came_to, (SELECT count(*) FROM gone) AS deleted

-- name: tidy_tries
-- Counts that no limit looks at any more.
WITH old AS (
    SELECT subject, hour AS at FROM identification_tries
    WHERE hour < now() - make_interval(days => $1::int)
      AND hour > coalesce($2::timestamptz, '-infinity')
    ORDER BY hour FETCH FIRST ($3::int) ROWS WITH TIES
), gone AS (
    DELETE FROM identification_tries AS tries USING old
    WHERE tries.subject = old.subject AND tries.hour = old.at
    RETURNING 1
)
SELECT (SELECT max(at) FROM old) AS came_to, (SELECT count(*) FROM gone) AS deleted

-- name: tidy_daemons
-- Programs that were last heard of so long ago.
WITH old AS (
    SELECT id, beat_at AS at FROM daemons
    WHERE beat_at < now() - make_interval(days => $1::int)
      AND beat_at > coalesce($2::timestamptz, '-infinity')
    ORDER BY beat_at FETCH FIRST ($3::int) ROWS WITH TIES
), gone AS (
    DELETE FROM daemons USING old WHERE daemons.id = old.id
    RETURNING 1
)
SELECT (SELECT max(at) FROM old) AS came_to, (SELECT count(*) FROM gone) AS deleted

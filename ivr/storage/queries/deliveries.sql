-- What is on its way: which event to whom, tried by one node at a time.

-- name: plan_deliveries
-- Write down to whom the next events go. $1: the channels that are set up here; $2: the kinds that
-- are told by SOAP. A message to a customer that no channel is set up for is kept as skipped. Who
-- waits to hear whether they paid, and did not, hears it by text and by mail. One node after the
-- other: if one skipped what another has locked, it could tell the end of a payment before its
-- beginning.
WITH fresh AS (
    SELECT id, topic, kind, attempt_id FROM events
    WHERE planned_at IS NULL
    ORDER BY id
    LIMIT $3::int
    FOR UPDATE
), wanted AS (
    SELECT fresh.id, fresh.attempt_id, 'webhook' AS channel, endpoint.id AS endpoint_id,
           NULL AS why
    FROM fresh JOIN webhook_endpoints AS endpoint ON endpoint.state = 'enabled'
        AND (endpoint.kinds = '{}' OR fresh.kind = ANY (endpoint.kinds))
    WHERE fresh.topic = 'webhook'
    UNION ALL
    SELECT id, attempt_id, 'soap', NULL, NULL
    FROM fresh WHERE topic = 'webhook' AND kind = ANY ($2::text[])
    UNION ALL
    SELECT id, attempt_id, way, NULL,
           CASE WHEN way <> ALL ($1::text[]) THEN 'nothing is set up to send it with' END
    FROM fresh, unnest(
        CASE WHEN kind = 'payment-failed' THEN ARRAY['text', 'mail'] ELSE ARRAY[topic] END
    ) AS way
    WHERE topic IN ('text', 'mail')
), written AS (
    INSERT INTO deliveries (
        event_id, attempt_id, channel, endpoint_id, state, error, ended_at, next_at)
    SELECT id, attempt_id, channel, endpoint_id,
           CASE WHEN why IS NULL THEN 'waiting' ELSE 'skipped' END, why,
           CASE WHEN why IS NOT NULL THEN now() END,
           greatest(now(), (
               SELECT max(before.next_at) FROM deliveries AS before
               WHERE before.attempt_id = wanted.attempt_id AND before.state = 'waiting'
                 AND before.target = coalesce(endpoint_id::text, channel) AND before.claim IS NULL
           ))
    FROM wanted
    ORDER BY id
    ON CONFLICT (event_id, target) DO NOTHING
), planned AS (
    UPDATE events SET planned_at = now() FROM fresh WHERE events.id = fresh.id
)
SELECT count(*) AS planned FROM fresh

-- name: claim_deliveries
-- Take what is due for $5 seconds, at most $2 for each target, with all that is told in it. What is
-- told of one payment to one target goes in its order. $1: the channels served here; $3 and $4:
-- targets that something is on its way to, and how much; $6: who takes it.
WITH places AS (
    SELECT unnest($1::text[]) AS name
    UNION ALL
    SELECT id::text FROM webhook_endpoints WHERE state = 'enabled'
), due AS (
    SELECT mine.id
    FROM places
    LEFT JOIN unnest($3::text[], $4::int[]) AS busy (name, taken) USING (name),
    LATERAL (
        SELECT id FROM deliveries
        WHERE target = places.name AND state = 'waiting' AND next_at <= now()
          AND NOT EXISTS (
              SELECT FROM deliveries AS earlier
              WHERE earlier.attempt_id = deliveries.attempt_id
                AND earlier.target = deliveries.target
                AND earlier.id < deliveries.id AND earlier.state = 'waiting'
          )
        ORDER BY next_at, id
        LIMIT greatest($2::int - coalesce(busy.taken, 0), 0)
        FOR UPDATE SKIP LOCKED
    ) AS mine
), taken AS (
    UPDATE deliveries
    SET claim = $6::uuid, attempts = attempts + 1,
        next_at = now() + make_interval(secs => $5::double precision)
    FROM due WHERE deliveries.id = due.id
    RETURNING deliveries.*
), ids AS (  -- one message with a strange id must not hold up all others
    SELECT taken.id AS delivery_id, events.attempt_id,
           CASE WHEN payload ->> 'payment' ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
                THEN (payload ->> 'payment')::uuid END AS payment,
           CASE WHEN payload ->> 'invoice' ~ '^[0-9]{1,18}$'
                THEN (payload ->> 'invoice')::bigint END AS invoice,
           CASE WHEN payload ->> 'service' ~ '^[0-9]{1,18}$'
                THEN (payload ->> 'service')::bigint END AS service,
           CASE WHEN payload ->> 'customer' ~ '^[0-9]{1,18}$'
                THEN (payload ->> 'customer')::bigint END AS customer
    FROM taken JOIN events ON events.id = taken.event_id
), about AS (
    SELECT ids.delivery_id, attempts.id AS attempt, ids.invoice, ids.service,
           coalesce(attempts.customer_id, ids.customer) AS customer
    FROM ids LEFT JOIN attempts ON attempts.id = coalesce(ids.attempt_id, ids.payment)
)
SELECT taken.id, taken.event_id, taken.channel, taken.target, taken.attempts,
       extract(epoch FROM now() - taken.waiting_since)::double precision AS age,
       events.kind, events.payload, events.call_id AS told_of_call, events.address, events.created_at AS happened_at,
       events.until < now() AS too_late,
       endpoint.id AS endpoint_id, endpoint.url, endpoint.secret,
       CASE WHEN endpoint.previous_until > now() THEN endpoint.previous_secret END
           AS previous_secret,
       customers.id AS customer_id, customers.external_id AS customer_external_id,
       customers.name AS customer_name, customers.language, customers.phone, customers.email,
       EXISTS (
           SELECT FROM services AS line
           WHERE line.customer_id = customers.id AND line.number = events.address
       ) AS address_of_a_line,
       attempts.id AS payment_id, attempts.order_id, attempts.state AS payment_state,
       attempts.method, attempts.amount, attempts.fee, attempts.currency, attempts.brand,
       attempts.last4, attempts.bucket, attempts.processor_code, attempts.confirmation,
       attempts.transaction_id, attempts.call_id, attempts.captured_at,
       invoices.id AS invoice_id, invoices.number, invoices.amount AS invoice_amount,
       invoices.paid, invoices.currency AS invoice_currency, invoices.due_date,
       services.id AS service_id, services.external_id AS service_external_id, services.label,
       services.status, services.suspended_for,
       (
           SELECT jsonb_agg(jsonb_build_object(
               'id', bill.id, 'number', bill.number, 'amount', part.amount::text,
               'applied', coalesce(part.applied, part.amount)::text, 'currency', bill.currency
           ) ORDER BY bill.due_date, bill.id)
           FROM allocations AS part JOIN invoices AS bill ON bill.id = part.invoice_id
           WHERE part.attempt_id = about.attempt
       ) AS bills,
       (
           SELECT jsonb_agg(jsonb_build_object('id', line.id, 'label', line.label)
                            ORDER BY line.id)
           FROM events AS told
           JOIN services AS line ON line.id = (told.payload ->> 'service')::bigint
           WHERE told.attempt_id = about.attempt AND told.kind = 'service.reactivated'
             AND line.status = 'active'
       ) AS lines_back
FROM taken
JOIN events ON events.id = taken.event_id
JOIN about ON about.delivery_id = taken.id
LEFT JOIN webhook_endpoints AS endpoint ON endpoint.id = taken.endpoint_id
LEFT JOIN attempts ON attempts.id = about.attempt
LEFT JOIN customers ON customers.id = about.customer
LEFT JOIN invoices ON invoices.id = about.invoice
LEFT JOIN services ON services.id = coalesce(about.service, invoices.service_id)
ORDER BY taken.id

-- name: end_delivery
-- Write down how a try ended, unless somebody else has it by now. $6: seconds to the next one. What
-- must wait behind it gets the same time: else, after days of failures, all of it would be looked
-- at again and again.
WITH ended AS (
    UPDATE deliveries
    SET state = $3::text, error = $4::text, answer = coalesce($5::text, answer), claim = NULL,
        next_at = now() + make_interval(secs => coalesce($6::double precision, 0)),
        ended_at = CASE WHEN $3::text <> 'waiting' THEN now() END
    WHERE id = $1::bigint AND claim = $2::uuid AND state = 'waiting'
    RETURNING id, attempt_id, target, state, next_at
)
UPDATE deliveries AS behind SET next_at = ended.next_at
FROM ended
WHERE ended.state = 'waiting' AND behind.state = 'waiting' AND behind.id > ended.id
  AND behind.attempt_id = ended.attempt_id AND behind.target = ended.target
  AND behind.next_at < ended.next_at

-- name: release_deliveries
-- Leave them to the next one: a try that was broken off counts as none.
UPDATE deliveries SET claim = NULL, attempts = attempts - 1, next_at = now()
WHERE id = ANY ($1::bigint[]) AND claim = $2::uuid AND state = 'waiting'

-- name: recent_deliveries
-- One page, newest first, before the cursor $1; in the state $2, to the endpoint $3, if given.
SELECT deliveries.id, deliveries.event_id, events.kind, events.topic, deliveries.channel,
       deliveries.endpoint_id, deliveries.state, deliveries.attempts, deliveries.error,
       deliveries.answer, events.attempt_id, events.call_id, events.created_at,
       deliveries.ended_at,
       CASE WHEN deliveries.state = 'waiting' THEN deliveries.next_at END AS next_at
FROM deliveries JOIN events ON events.id = deliveries.event_id
WHERE ($1::bigint IS NULL OR deliveries.id < $1)
  AND ($2::text IS NULL OR deliveries.state = $2)
  AND ($3::uuid IS NULL OR deliveries.endpoint_id = $3)
ORDER BY deliveries.id DESC
LIMIT $4::int

-- name: redeliver
-- From the beginning, at once, for who asks for it; not to an endpoint that takes nothing, and not
-- for the key ($2) that it was asked for with the last time.
WITH asked AS (
    SELECT deliveries.id, coalesce(endpoint.state = 'enabled', true) AS open
    FROM deliveries LEFT JOIN webhook_endpoints AS endpoint ON endpoint.id = deliveries.endpoint_id
    WHERE deliveries.id = $1::bigint
), again AS (
    UPDATE deliveries
    SET state = 'waiting', attempts = CASE WHEN claim IS NULL THEN 0 ELSE attempts END,
        waiting_since = now(), ended_at = NULL, redelivery_key = $2::text,
        next_at = CASE WHEN claim IS NULL THEN now() ELSE next_at END
    FROM asked
    WHERE deliveries.id = asked.id AND asked.open AND redelivery_key IS DISTINCT FROM $2::text
    RETURNING pg_notify('saldo_messages', '')
)
SELECT open, (SELECT count(*) FROM again) AS again FROM asked

-- The attempts to pay. Statements that do several things at once are one statement so that they
-- are one round trip and hold their locks for no longer than the database itself needs.

-- name: open_attempt
-- Keep a new attempt and its allocations; keeping the same one again changes nothing.
WITH opened AS (
    INSERT INTO attempts (id, order_id, customer_id, call_id, amount, currency, state, fee, method,
                          daemon)
    VALUES ($1::uuid, $2::text, $3::bigint, $4::text, $5::numeric, $6::text, 'created',
            $9::numeric, $10::text, $11::uuid)
    ON CONFLICT (id) DO NOTHING
    RETURNING id
)
INSERT INTO allocations (attempt_id, invoice_id, amount)
SELECT opened.id, part.invoice_id, part.amount
FROM opened, unnest($7::bigint[], $8::numeric[]) AS part (invoice_id, amount)

-- name: begin_charging
-- Lock the invoices in the order of their ids, read again what is due, and decide: the attempt
-- becomes charging and holds its invoices, or is canceled. A charge of the same invoice that began
-- while this one waited for the lock is not seen here; the index one_charge_an_invoice stops it.
-- (NO KEY: other attempts may still be opened for the invoices meanwhile.)
WITH attempt AS (
    SELECT id, state, currency, call_id FROM attempts WHERE id = $1::uuid FOR UPDATE
), owed AS (
    SELECT invoices.id,
           invoices.amount - invoices.paid >= allocations.amount
               AND invoices.currency = attempt.currency AS still_due
    FROM attempt
    JOIN allocations ON allocations.attempt_id = attempt.id
    JOIN invoices ON invoices.id = allocations.invoice_id
    WHERE attempt.state = 'created'
    ORDER BY invoices.id
    FOR NO KEY UPDATE OF invoices
), verdict AS (
    SELECT attempt.id, attempt.state, attempt.call_id,
           CASE
               WHEN attempt.state <> 'created' THEN 'refused'
               WHEN (SELECT bool_and(still_due) FROM owed) IS NOT TRUE THEN 'already-paid'
               WHEN EXISTS (
                   SELECT FROM allocations AS mine
                   JOIN allocations AS other ON other.invoice_id = mine.invoice_id AND other.holds
                   WHERE mine.attempt_id = attempt.id
               ) THEN 'being-paid'
               ELSE 'charging'
           END AS decision
    FROM attempt
), charging AS (
    UPDATE attempts
    SET state = 'charging', charging_at = now(),
        token = $2::text, method = $3::text, brand = $4::text, last4 = $5::text,
        expires = $6::text, account_type = $7::text, payer = $8::text,
        card_on_file_id = $9::uuid, keep_ref = $10::text, daemon = $11::uuid,
        by_telephone = $12::boolean, waits_for_settlement = $13::boolean
    FROM verdict
    WHERE attempts.id = verdict.id AND verdict.decision = 'charging'
), holding AS (
    UPDATE allocations SET holds = true
    FROM verdict
    WHERE allocations.attempt_id = verdict.id AND verdict.decision = 'charging'
), canceled AS (
    UPDATE attempts SET state = 'canceled', ended_at = now(), reason = verdict.decision
    FROM verdict
    WHERE attempts.id = verdict.id AND verdict.decision IN ('already-paid', 'being-paid')
), forgotten AS (
    UPDATE captures SET token = NULL
    FROM verdict
    WHERE captures.call_id = verdict.call_id AND captures.token = $2::text
      AND verdict.decision = 'charging'
)
SELECT state, decision FROM verdict

-- name: lock_for_capture
-- Lock the attempt, its lines and its invoices, each in the order of their ids. What follows in the
-- transaction then sees what others who paid for the same lines have committed.
WITH attempt AS (
    SELECT * FROM attempts WHERE id = $1::uuid FOR UPDATE
), lines AS (
    SELECT services.id
    FROM services
    WHERE services.id IN (
        SELECT invoices.service_id
        FROM allocations JOIN invoices ON invoices.id = allocations.invoice_id
        WHERE allocations.attempt_id = $1::uuid
    )
    ORDER BY services.id
    FOR NO KEY UPDATE OF services
), bills AS (
    SELECT invoices.id
    FROM allocations JOIN invoices ON invoices.id = allocations.invoice_id
    WHERE allocations.attempt_id = $1::uuid
    ORDER BY invoices.id
    FOR NO KEY UPDATE OF invoices
)
SELECT attempt.state, attempt.amount, attempt.currency, attempt.confirmation,
       attempt.transaction_id,
       (SELECT count(*) FROM lines) AS lines, (SELECT count(*) FROM bills) AS bills
FROM attempt

-- name: attempt_captured
-- All that a capture changes: the attempt, its invoices, the lines that come back, the outbox.
-- An invoice that was paid elsewhere meanwhile takes what fits; the rest stays visible as
-- allocations.applied < amount and as an event, since the money has been taken. Who was told that
-- we are confirming ($6) is told that it is confirmed. Whoever agreed to a debit gets the notice of
-- it, unless the recording of their call is the proof.
WITH captured AS (
    UPDATE attempts
    SET state = 'captured', token = NULL, reason = NULL, ended_at = $4::timestamptz,
        captured_at = $4::timestamptz, transaction_id = $2::text, processor_code = $3::text,
        confirmation = $5::text
    WHERE id = $1::uuid
    RETURNING id, call_id, waits_for_settlement
), applied AS (
    UPDATE allocations
    SET holds = false, applied = LEAST(allocations.amount, invoices.amount - invoices.paid)
    FROM invoices
    WHERE allocations.attempt_id = $1::uuid AND invoices.id = allocations.invoice_id
    RETURNING allocations.invoice_id, allocations.amount, allocations.applied
), paid AS (
    UPDATE invoices SET paid = invoices.paid + applied.applied
    FROM applied
    WHERE invoices.id = applied.invoice_id
    RETURNING invoices.id, invoices.service_id, invoices.paid = invoices.amount AS in_full
), reactivated AS (
    UPDATE services SET status = 'active', suspended_for = NULL
    WHERE services.id IN (SELECT service_id FROM paid WHERE in_full)
      AND NOT (SELECT waits_for_settlement FROM captured)
      AND services.status = 'suspended' AND services.suspended_for = 'non-payment'
      AND NOT EXISTS (
          SELECT FROM invoices AS other
          WHERE other.service_id = services.id AND other.paid < other.amount
            AND other.id NOT IN (SELECT id FROM paid WHERE in_full)
      )
    RETURNING services.id, services.label
), news AS (
    SELECT 1 AS turn, 'webhook' AS topic, 'payment.captured' AS kind, NULL::bigint AS id,
           '{}'::jsonb AS about
    UNION ALL
    SELECT 2, 'webhook', CASE WHEN in_full THEN 'invoice.paid' ELSE 'invoice.part-paid' END, id,
           jsonb_build_object('invoice', id)
    FROM paid
    UNION ALL
    SELECT 3, 'webhook', 'service.reactivated', id, jsonb_build_object('service', id)
    FROM reactivated
    UNION ALL
    SELECT 4, 'webhook', 'payment.not-applied', invoice_id,
           jsonb_build_object('invoice', invoice_id)
    FROM applied WHERE applied.applied < applied.amount
    UNION ALL
    SELECT 5, 'mail', 'receipt', NULL, '{}'
    UNION ALL
    SELECT 6, 'text', CASE WHEN $6::boolean THEN 'payment-confirmed' ELSE 'receipt' END, NULL, '{}'
    UNION ALL
    SELECT 7, topic, 'mandate', NULL, jsonb_build_object('mandate', wording)
    FROM mandates, unnest(ARRAY['mail', 'text']) AS topic
    WHERE attempt_id = $1::uuid AND how = 'notice'
), told AS (
    INSERT INTO events (topic, kind, attempt_id, call_id, payload)
    SELECT news.topic, news.kind, captured.id, captured.call_id,
           jsonb_build_object('payment', captured.id) || news.about
    FROM news, captured
    ORDER BY news.turn, news.id
), resolved AS (
    UPDATE doubts SET resolved_at = now(), claimed_by = NULL, claimed_until = NULL
    FROM captured
    WHERE doubts.attempt_id = captured.id AND resolved_at IS NULL
)
SELECT id, label FROM reactivated ORDER BY id

-- name: payment_became
-- A payment is settled, or its money went back ($3) by whatever way and for the reason $4, and its
-- invoices are owed again. A line that it brought back is suspended again if the bank returned the money; one that
-- waited for its settlement comes back with that. Who was given money back before their bank
-- returned the payment has too much, which only a person can settle.
WITH payment AS (
    UPDATE attempts
    SET state = $2::text, ended_at = CASE WHEN $3::boolean THEN now() ELSE ended_at END,
        settled_at = CASE WHEN $2::text = 'settled' THEN now() ELSE settled_at END,
        reason = coalesce($4::text, reason)
    WHERE id = $1::uuid
    RETURNING id, call_id, waits_for_settlement
), parts AS (
    SELECT invoice_id, applied - reopened AS still
    FROM allocations
    WHERE attempt_id = $1::uuid AND applied > reopened AND $3::boolean
), reopened AS (
    UPDATE allocations SET reopened = applied
    FROM parts
    WHERE allocations.attempt_id = $1::uuid AND allocations.invoice_id = parts.invoice_id
), owed AS (
    UPDATE invoices SET paid = invoices.paid - parts.still
    FROM parts
    WHERE invoices.id = parts.invoice_id
    RETURNING invoices.id, invoices.paid, invoices.service_id
), lines AS (
    UPDATE services SET status = 'suspended', suspended_for = 'non-payment'
    FROM events
    WHERE events.attempt_id = $1::uuid AND events.kind = 'service.reactivated'
      AND services.id = (events.payload ->> 'service')::bigint
      AND services.status = 'active' AND $2::text = 'returned'
      AND services.id IN (SELECT service_id FROM owed)
    RETURNING services.id
), back AS (
    UPDATE services SET status = 'active', suspended_for = NULL
    FROM payment
    WHERE payment.waits_for_settlement AND $2::text = 'settled'
      AND services.status = 'suspended' AND services.suspended_for = 'non-payment'
      AND services.id IN (
          SELECT invoices.service_id
          FROM allocations JOIN invoices ON invoices.id = allocations.invoice_id
          WHERE allocations.attempt_id = payment.id
      )
      AND NOT EXISTS (
          SELECT FROM invoices AS other
          WHERE other.service_id = services.id AND other.paid < other.amount
      )
    RETURNING services.id
), news AS (
    SELECT 1 AS turn, 'webhook' AS topic, 'payment.' || $2::text AS kind, NULL::bigint AS id,
           '{}'::jsonb AS about
    UNION ALL
    SELECT 2, 'webhook', CASE WHEN paid > 0 THEN 'invoice.part-paid' ELSE 'invoice.unpaid' END, id,
           jsonb_build_object('invoice', id)
    FROM owed
    UNION ALL
    SELECT 3, 'webhook', 'service.reactivation-reversed', id, jsonb_build_object('service', id)
    FROM lines
    UNION ALL
    SELECT 3, 'webhook', 'service.reactivated', id, jsonb_build_object('service', id)
    FROM back
    UNION ALL
    SELECT 4, 'webhook', 'payment.given-back-twice', NULL,
           jsonb_build_object('amount', sum(refunds.amount)::text)
    FROM refunds
    WHERE refunds.attempt_id = $1::uuid AND refunds.state = 'done' AND $2::text = 'returned'
    HAVING count(*) > 0
    UNION ALL
    SELECT 5, topic, 'bank-return', NULL, '{}'
    FROM unnest(ARRAY['mail', 'text']) AS topic WHERE $2::text = 'returned'
)
INSERT INTO events (topic, kind, attempt_id, call_id, payload)
SELECT news.topic, news.kind, payment.id, payment.call_id,
       jsonb_strip_nulls(jsonb_build_object('payment', payment.id, 'reason', $4::text))
           || news.about
FROM news, payment
ORDER BY news.turn, news.id

-- name: lines_reactivated
-- The lines that one capture brought back, for who asks again.
SELECT services.id, services.label
FROM events JOIN services ON services.id = (events.payload ->> 'service')::bigint
WHERE events.attempt_id = $1::uuid AND events.kind = 'service.reactivated'
ORDER BY services.id

-- name: end_attempt
-- From one of the states $2 to $3, letting go of the invoices unless the outcome stays unknown. Who
-- was told that we are confirming (the outcome was unknown, or $9) is told that nothing was charged.
-- An attempt that was ended without a charge, and whose own process now does not know, is looked up
-- again: its request may have arrived late. The doubt of one that another process took for abandoned
-- while this statement waited is not seen by an UPDATE; the conflict with it is.
-- Programs are told each move, but not of an attempt that was canceled: it never was a charge.
-- Answers with the state before; an attempt in another state is left alone.
WITH attempt AS (
    SELECT id, call_id, state, state = ANY ($2::text[]) AS moves
    FROM attempts WHERE id = $1::uuid FOR UPDATE
), ended AS (
    UPDATE attempts
    SET state = $3::text,
        token = CASE WHEN $3::text = 'unknown' THEN token END,
        ended_at = CASE WHEN $3::text <> 'unknown' THEN now() END,
        reason = coalesce($4::text, reason),
        processor_code = $5::text, processor_text = $6::text, bucket = $7::text,
        transaction_id = $8::text
    FROM attempt
    WHERE attempts.id = attempt.id AND attempt.moves
), released AS (
    UPDATE allocations SET holds = false
    FROM attempt
    WHERE allocations.attempt_id = attempt.id AND attempt.moves AND $3::text <> 'unknown'
), doubted AS (
    INSERT INTO doubts (attempt_id)
    SELECT id FROM attempt
    WHERE (moves OR state IN ('declined', 'failed')) AND $3::text = 'unknown'
    ON CONFLICT (attempt_id) DO UPDATE
    SET since = now(), looks = 0, misses = 0, empty = 0, look_at = now(), resolved_at = NULL
    WHERE doubts.resolved_at IS NOT NULL
), resolved AS (
    INSERT INTO doubts (attempt_id, resolved_at)
    SELECT id, now() FROM attempt WHERE moves AND state = 'unknown'
    ON CONFLICT (attempt_id) DO UPDATE
    SET resolved_at = now(), claimed_by = NULL, claimed_until = NULL
), news AS (
    SELECT 1 AS turn, 'webhook' AS topic,
           CASE WHEN $3::text = 'unknown' THEN 'payment.in-doubt' ELSE 'payment.' || $3::text END
               AS kind
    WHERE $3::text IN ('declined', 'failed', 'unknown')
    UNION ALL
    SELECT 2, 'text', 'payment-failed'
    FROM attempt WHERE $3::text <> 'unknown' AND (state = 'unknown' OR $9::boolean)
), told AS (
    INSERT INTO events (topic, kind, attempt_id, call_id, payload)
    SELECT news.topic, news.kind, attempt.id, attempt.call_id,
           jsonb_build_object('payment', attempt.id)
    FROM news, attempt
    WHERE attempt.moves
    ORDER BY news.turn
)
SELECT state, moves FROM attempt

-- name: attempt_by_id
-- One attempt as it is now, with its allocations in the order of the invoices.
SELECT attempts.id, attempts.order_id, attempts.customer_id, attempts.call_id, attempts.amount,
       attempts.currency, attempts.state, attempts.fee, attempts.method,
       array_agg(allocations.invoice_id ORDER BY allocations.invoice_id) AS invoice_ids,
       array_agg(allocations.amount ORDER BY allocations.invoice_id) AS amounts
FROM attempts JOIN allocations ON allocations.attempt_id = attempts.id
WHERE attempts.id = $1::uuid
GROUP BY attempts.id

-- name: means_of_attempt
-- What was or may have been sent to the gateway, as long as it may have to be sent again.
SELECT token, method, brand, last4, expires, account_type, payer, card_on_file_id, keep_ref,
       by_telephone, mandates.wording AS mandate, mandates.accepted_at AS agreed_at
FROM attempts LEFT JOIN mandates ON mandates.attempt_id = attempts.id
WHERE id = $1::uuid AND token IS NOT NULL

-- Payments as staff looks at them.

-- name: recent_payments
-- One page of attempts, newest first, before the cursor $1; of one call if $2 is given.
SELECT * FROM payments_shown
WHERE ($1::bigint IS NULL OR seq < $1) AND ($2::text IS NULL OR call_id = $2)
ORDER BY seq DESC
LIMIT $3::int

-- name: payments_in_states
-- Such a page of those in one of the states $2: a page of each is read, however rare it is. BETWEEN
-- and not =, and the order by state, since the planner would rather read all payments backwards.
SELECT shown.*
FROM unnest($2::text[]) AS wanted (state),
     LATERAL (
         SELECT * FROM payments_shown
         WHERE payments_shown.state BETWEEN wanted.state AND wanted.state
           AND ($1::bigint IS NULL OR seq < $1)
         ORDER BY payments_shown.state DESC, seq DESC
         LIMIT $3::int
     ) AS shown
ORDER BY shown.seq DESC
LIMIT $3::int

-- name: payments_found
-- Such a page of those with the number $3: confirmation, account, invoice, or what the gateway calls
-- it. In one of the states $2, if any is given.
WITH found AS (
    SELECT id FROM attempts WHERE confirmation = $3::text
    UNION
    SELECT attempts.id FROM attempts JOIN customers ON customers.id = attempts.customer_id
    WHERE account_number = $3::text
    UNION
    SELECT attempt_id FROM allocations JOIN invoices ON invoices.id = allocations.invoice_id
    WHERE number IN ($3::text, upper($3::text))
    UNION
    SELECT id FROM attempts WHERE order_id = lower($3::text)
    UNION
    SELECT id FROM attempts WHERE transaction_id = $3::text
)
SELECT payments_shown.* FROM payments_shown JOIN found USING (id)
WHERE ($1::bigint IS NULL OR seq < $1)
  AND (cardinality($2::text[]) = 0 OR state = ANY ($2::text[]))
ORDER BY seq DESC
LIMIT $4::int

-- name: payments_listed
-- The newest of those of the customer $1, opened from $2 to before $3 and in one of the states $4, each
-- if it is given. A customer is known by account number, and by the biller's own key.
SELECT * FROM payments_shown
WHERE ($1::text = '' OR customer_id IN (
          SELECT id FROM customers WHERE account_number = $1::text OR external_id = $1::text))
  AND ($2::timestamptz IS NULL OR created_at >= $2)
  AND ($3::timestamptz IS NULL OR created_at < $3)
  AND (cardinality($4::text[]) = 0 OR state = ANY ($4::text[]))
ORDER BY seq DESC
LIMIT $5::int

-- name: payments_confirmed
-- Eight digits of an id: two of very many payments may share them.
SELECT id FROM attempts WHERE confirmation = $1::text ORDER BY seq DESC LIMIT 10

-- name: payment_shown
-- One of them, and what a list does not need.
SELECT payments_shown.*,
       EXISTS (SELECT FROM link_attempts WHERE attempt_id = $1::uuid) AS by_link,
       EXISTS (SELECT FROM doubts WHERE attempt_id = $1::uuid AND needs_person
               AND resolved_at IS NULL) AS needs_person
FROM payments_shown
WHERE id = $1::uuid

-- name: invoices_of_payment
-- What it was meant for, the oldest invoice first.
SELECT invoices.number, services.label AS service_label, invoices.due_date, invoices.currency,
       allocations.amount, coalesce(allocations.applied, 0) AS applied, allocations.reopened,
       invoices.amount - invoices.paid AS due
FROM allocations
JOIN invoices ON invoices.id = allocations.invoice_id
JOIN services ON services.id = invoices.service_id
WHERE allocations.attempt_id = $1::uuid
ORDER BY invoices.due_date, invoices.id

-- name: steps_of_payment
-- What happened to it. The gateway's clock is another one, of whole seconds: up to the outcome the
-- order is that of things, and after it that of time.
WITH attempt AS (SELECT * FROM attempts WHERE id = $1::uuid)
SELECT at, kind, why, refund
FROM (
    SELECT 0 AS stage, created_at AS at, 'opened' AS kind, NULL::text AS why, NULL::uuid AS refund
    FROM attempt
    UNION ALL
    SELECT 1, charging_at, 'charging', NULL, NULL FROM attempt
    UNION ALL
    SELECT 2, since, 'unknown', CASE WHEN resolved_at IS NULL THEN last_word END, NULL
    FROM doubts WHERE attempt_id = $1::uuid
    UNION ALL
    SELECT 3, captured_at, 'captured', NULL, NULL FROM attempt
    UNION ALL
    SELECT 3, ended_at, state, coalesce(reason, processor_text), NULL
    FROM attempt WHERE state IN ('declined', 'failed', 'canceled')
    UNION ALL
    SELECT 4, resolved_at, 'found-out', NULL, NULL FROM doubts WHERE attempt_id = $1::uuid
    UNION ALL
    SELECT 5, settled_at, 'settled', NULL, NULL FROM attempt
    UNION ALL
    SELECT 5, ended_at, 'returned', reason, NULL FROM attempt WHERE state = 'returned'
    UNION ALL
    SELECT 5, ended_at, state || '-there', NULL, NULL
    FROM attempt
    WHERE state IN ('voided', 'refunded')
      AND NOT EXISTS (SELECT FROM refunds WHERE attempt_id = $1::uuid AND state = 'done')
    UNION ALL
    SELECT 5, found_at, 'taken-again', NULL, NULL FROM strays WHERE attempt_id = $1::uuid
    UNION ALL
    SELECT 5, undone_at, 'sent-back', NULL, NULL FROM strays WHERE attempt_id = $1::uuid
    UNION ALL
    SELECT 5, refund_steps.at, 'refund-' || refund_steps.state, refund_steps.why, refunds.id
    FROM refund_steps JOIN refunds ON refunds.id = refund_steps.refund_id
    WHERE refunds.attempt_id = $1::uuid
) AS steps
WHERE at IS NOT NULL
ORDER BY stage, at

-- What is owed.

-- name: unpaid_invoices
-- What one customer can pay now, oldest first. An invoice whose last charge is still unknown is
-- left out: it may have been paid, and must be neither asked for nor denied.
SELECT invoices.id, invoices.number, services.customer_id, invoices.service_id,
       services.label AS service_label, invoices.amount, invoices.currency, invoices.paid,
       invoices.due_date
FROM services JOIN invoices ON invoices.service_id = services.id
WHERE services.customer_id = $1::bigint AND invoices.paid < invoices.amount
  AND NOT EXISTS (
      SELECT FROM allocations JOIN attempts ON attempts.id = allocations.attempt_id
      WHERE allocations.invoice_id = invoices.id AND allocations.holds
        AND attempts.state = 'unknown'
  )
ORDER BY invoices.due_date, invoices.number COLLATE "C"

-- name: customer_in_doubt
-- Whether one of this customer's charges is still unknown.
SELECT EXISTS (
    SELECT FROM attempts WHERE customer_id = $1::bigint AND state = 'unknown'
) AS in_doubt

-- name: invoices_by_number
-- These invoices, paid or not, by the biller's numbers.
SELECT invoices.id, invoices.number, services.customer_id, invoices.service_id,
       services.label AS service_label, invoices.amount, invoices.currency, invoices.paid,
       invoices.due_date
FROM invoices JOIN services ON services.id = invoices.service_id
WHERE invoices.number = ANY ($1::text[])
ORDER BY invoices.number COLLATE "C"

-- name: recent_invoices
-- One page of invoices, newest first, before the cursor $1.
SELECT invoices.id, invoices.number, services.customer_id, invoices.service_id,
       services.label AS service_label, invoices.amount, invoices.currency, invoices.paid,
       invoices.due_date
FROM invoices JOIN services ON services.id = invoices.service_id
WHERE $1::bigint IS NULL OR invoices.id < $1
ORDER BY invoices.id DESC
LIMIT $2::int

-- The lines and subscriptions that invoices are written for.

-- name: services_of_customer
-- All lines of one customer, in the order they came.
SELECT id, customer_id, label, number, status, suspended_for
FROM services
WHERE customer_id = $1::bigint
ORDER BY id

-- name: recent_services
-- One page of lines, newest first, before the cursor $1.
SELECT id, customer_id, label, number, status, suspended_for
FROM services
WHERE $1::bigint IS NULL OR id < $1
ORDER BY id DESC
LIMIT $2::int

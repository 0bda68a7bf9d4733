-- Files of customers, services and invoices: staged, checked against what is there, then taken.
-- Only rows that differ are locked and changed, so that a nightly file of a million rows does not
-- stand in the way of a caller who pays.

-- name: lock_imports
-- One import at a time; others wait. Held until the transaction ends.
SELECT pg_advisory_xact_lock(495555732592)

-- name: stage_customers
-- A place for the rows of a file.
DROP TABLE IF EXISTS pg_temp.staged_customers;
CREATE TEMP TABLE staged_customers (
    row int, external_id text, account_number text, kind text, name text, language text,
    postal_code text, phone text, email text
) ON COMMIT DROP

-- name: conflicts_of_customers
-- An account number that another customer has.
SELECT staged.row, 'account_number' AS column, staged.account_number AS value,
       'belongs to customer ' || customers.external_id AS reason
FROM staged_customers AS staged
JOIN customers ON customers.account_number = staged.account_number
             AND customers.external_id <> staged.external_id
ORDER BY staged.row

-- name: change_customers
-- Those that are there and differ.
UPDATE customers
SET account_number = staged.account_number, kind = staged.kind, name = staged.name,
    language = staged.language, postal_code = staged.postal_code, phone = staged.phone,
    email = staged.email
FROM staged_customers AS staged
WHERE customers.external_id = staged.external_id
  AND (customers.account_number, customers.kind, customers.name::text, customers.language,
       customers.postal_code, customers.phone, customers.email::text)
      IS DISTINCT FROM (staged.account_number, staged.kind, staged.name, staged.language,
                        staged.postal_code, staged.phone, staged.email)
RETURNING staged.row

-- name: add_customers
-- Those that are new, in the order of the file.
INSERT INTO customers (external_id, account_number, kind, name, language, postal_code, phone, email)
SELECT external_id, account_number, kind, name, language, postal_code, phone, email
FROM staged_customers AS staged
WHERE NOT EXISTS (SELECT FROM customers WHERE customers.external_id = staged.external_id)
ORDER BY staged.row
RETURNING id

-- name: stage_services
-- A place for the rows of a file.
DROP TABLE IF EXISTS pg_temp.staged_services;
CREATE TEMP TABLE staged_services (
    row int, external_id text, customer text, label text, number text, status text,
    suspended_for text
) ON COMMIT DROP

-- name: conflicts_of_services
-- A customer that nobody is.
SELECT staged.row, 'customer' AS column, staged.customer AS value,
       'is no customer''s external_id' AS reason
FROM staged_services AS staged
WHERE NOT EXISTS (SELECT FROM customers WHERE customers.external_id = staged.customer)
ORDER BY staged.row

-- name: lock_services
-- In the order of ids, as captures lock them.
SELECT services.id
FROM services JOIN staged_services AS staged ON staged.external_id = services.external_id
WHERE (services.status, services.suspended_for, services.label::text)
      IS DISTINCT FROM (staged.status, staged.suspended_for, staged.label)
ORDER BY services.id
FOR NO KEY UPDATE OF services

-- name: change_services
-- Those that are there and differ.
UPDATE services
SET customer_id = customers.id, label = staged.label, number = staged.number,
    status = staged.status, suspended_for = staged.suspended_for
FROM staged_services AS staged JOIN customers ON customers.external_id = staged.customer
WHERE services.external_id = staged.external_id
  AND (services.customer_id, services.label::text, services.number, services.status,
       services.suspended_for)
      IS DISTINCT FROM (customers.id, staged.label, staged.number, staged.status,
                        staged.suspended_for)
RETURNING staged.row

-- name: add_services
-- Those that are new, in the order of the file.
INSERT INTO services (external_id, customer_id, label, number, status, suspended_for)
SELECT staged.external_id, customers.id, staged.label, staged.number, staged.status,
       staged.suspended_for
FROM staged_services AS staged JOIN customers ON customers.external_id = staged.customer
WHERE NOT EXISTS (SELECT FROM services WHERE services.external_id = staged.external_id)
ORDER BY staged.row
RETURNING id

-- name: stage_invoices
-- A place for the rows of a file.
DROP TABLE IF EXISTS pg_temp.staged_invoices;
CREATE TEMP TABLE staged_invoices (
    row int, number text, service text, amount numeric, currency text, paid numeric, due_date date
) ON COMMIT DROP

-- name: conflicts_of_invoices
-- A line that nobody has; an amount below what was paid; another currency than was paid in.
SELECT staged.row, 'service' AS column, staged.service AS value,
       'is no service''s external_id' AS reason
FROM staged_invoices AS staged
WHERE NOT EXISTS (SELECT FROM services WHERE services.external_id = staged.service)
UNION ALL
SELECT staged.row, 'amount', staged.amount::text,
       'is less than the ' || trim_scale(invoices.paid) || ' already paid'
FROM staged_invoices AS staged JOIN invoices ON invoices.number = staged.number
WHERE staged.amount < invoices.paid
UNION ALL
SELECT staged.row, 'currency', staged.currency, 'is not ' || invoices.currency
       || ', in which this invoice was opened for payment'
FROM staged_invoices AS staged JOIN invoices ON invoices.number = staged.number
WHERE staged.currency <> invoices.currency
  AND (invoices.paid > 0
       OR EXISTS (SELECT FROM allocations WHERE invoice_id = invoices.id AND holds))
ORDER BY row

-- name: lock_invoices
-- In the order of ids, as charges lock them.
SELECT invoices.id
FROM invoices JOIN staged_invoices AS staged ON staged.number = invoices.number
WHERE (invoices.amount, invoices.currency, invoices.due_date)
      IS DISTINCT FROM (staged.amount, staged.currency, staged.due_date)
   OR staged.paid > invoices.paid
ORDER BY invoices.id
FOR NO KEY UPDATE OF invoices

-- name: change_invoices
-- Those that are there and differ. A file older than a payment of ours never takes it back.
UPDATE invoices
SET service_id = services.id, amount = staged.amount, currency = staged.currency,
    paid = GREATEST(invoices.paid, staged.paid), due_date = staged.due_date
FROM staged_invoices AS staged JOIN services ON services.external_id = staged.service
WHERE invoices.number = staged.number
  AND ((invoices.service_id, invoices.amount, invoices.currency, invoices.due_date)
       IS DISTINCT FROM (services.id, staged.amount, staged.currency, staged.due_date)
       OR staged.paid > invoices.paid)
RETURNING staged.row

-- name: add_invoices
-- Those that are new, in the order of the file.
INSERT INTO invoices (number, service_id, amount, currency, paid, due_date)
SELECT staged.number, services.id, staged.amount, staged.currency, staged.paid, staged.due_date
FROM staged_invoices AS staged JOIN services ON services.external_id = staged.service
WHERE NOT EXISTS (SELECT FROM invoices WHERE invoices.number = staged.number)
ORDER BY staged.row
RETURNING id

-- name: survey_customers
-- Tell the planner at once; it would learn of a large file only minutes later.
ANALYZE customers

-- name: survey_services
-- Tell the planner at once; it would learn of a large file only minutes later.
ANALYZE services

-- name: survey_invoices
-- Tell the planner at once; it would learn of a large file only minutes later.
ANALYZE invoices

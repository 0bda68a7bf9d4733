-- Who owes.

-- name: customer_by_account_number
-- The one customer whose account number a caller keyed.
SELECT id, account_number, kind, name, language, postal_code
FROM customers
WHERE account_number = $1::text

-- name: customer_by_external_id
-- The one customer that the biller calls so.
SELECT id, account_number, kind, name, language, postal_code
FROM customers
WHERE external_id = $1::text

-- name: addresses_of_customer
-- The number that text messages go to, and the address for mail.
SELECT phone AS text, email AS mail FROM customers WHERE id = $1::bigint

-- name: recent_customers
-- One page of customers, newest first, before the cursor $1.
SELECT id, account_number, kind, name, language, postal_code
FROM customers
WHERE $1::bigint IS NULL OR id < $1
ORDER BY id DESC
LIMIT $2::int

-- The server itself, for `saldo doctor`.

-- name: server_settings
-- Those of the named settings that it knows and shows us, as they are for our role and database.
SELECT name, setting
FROM pg_settings
WHERE name = ANY($1::text[])

-- name: server_connection
-- Its clock now, and how we are connected to it.
SELECT clock_timestamp() AS clock,
       COALESCE(host(inet_server_addr()), '') AS address,
       COALESCE((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), false) AS encrypted

-- name: last_payment
-- When the last card was charged by telephone.
SELECT captured_at
FROM attempts
WHERE captured_at IS NOT NULL AND method = 'card' AND by_telephone
ORDER BY captured_at DESC
LIMIT 1

-- name: standing
-- What the tables show of how this company is paid.
SELECT (SELECT max(received_at) FROM gateway_notifications) AS gateway_told_at,
       ARRAY(SELECT url FROM webhook_endpoints WHERE state = 'enabled' ORDER BY created_at, id)
           AS endpoints,
       ARRAY(SELECT DISTINCT currency FROM invoices WHERE paid < amount) AS currencies

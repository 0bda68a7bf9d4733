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
-- When the last charge went well.
SELECT max(ended_at) AS ended_at
FROM attempts
WHERE state = 'captured'

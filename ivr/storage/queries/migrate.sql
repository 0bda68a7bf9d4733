-- Which files of schema/ the database has.

-- name: lock_migrations
-- One program at a time; held until the connection ends. The number is the word "saldo" in ASCII.
SELECT pg_advisory_lock(495555732591)

-- name: create_schema_versions
-- The list of applied files.
CREATE TABLE IF NOT EXISTS schema_versions (
    version    int PRIMARY KEY CHECK (version > 0),
    name       text NOT NULL,
    digest     text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
)

-- name: schema_versions_exist
-- Whether any file was ever applied.
SELECT to_regclass('schema_versions') IS NOT NULL AS there

-- name: schema_versions
-- The applied files in order.
SELECT version, digest FROM schema_versions ORDER BY version

-- name: keep_schema_version
-- Keep that a file was applied.
INSERT INTO schema_versions (version, name, digest) VALUES ($1::int, $2::text, $3::text)

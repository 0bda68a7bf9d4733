-- What the role of the secure process may do, if there is one; applied again by every migration, so
-- that a role created later gets it. It can write how a capture ended, and see nothing else.
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'saldo_capture') THEN
        GRANT SELECT ON captures TO saldo_capture;
        GRANT UPDATE (result, error_type, brand, last4, expires, token, card_hash, account_type,
                      closed_at)
            ON captures TO saldo_capture;
    END IF;
END
$$;

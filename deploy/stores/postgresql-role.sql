-- The role of api and workers: rows, and nothing of what holds them. Run it in Letuin's database as the owner of the
-- tables, before the first migration or after any; migrations themselves need that owner, in their own DATABASE_URL.
--   CREATE ROLE letuin_app LOGIN PASSWORD '…' NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION;
GRANT USAGE ON SCHEMA public TO letuin_app;
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO letuin_app;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO letuin_app;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO letuin_app;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE ON SEQUENCES TO letuin_app;
DO $$ BEGIN
    IF to_regclass('public.alembic_version') IS NOT NULL THEN
        REVOKE INSERT, UPDATE, DELETE ON alembic_version FROM letuin_app;
    END IF;
END $$;

"""Where flows keep their checkpoints: SQLite on one host, PostgreSQL over several. Every write names its fence."""

"""Alembic's environment: DATABASE_URL from the settings, asyncpg as the driver."""

import asyncio

from alembic import context
from sqlalchemy import Connection, pool, text
from sqlalchemy.ext.asyncio import create_async_engine

from common.config import CommonSettings
from common.database.model import Base
from common.database.tls import tls_arguments

_LOCK = 7_263_114_001  # any constant: two processes must not migrate one database at the same time


def run(connection: Connection) -> None:
    context.configure(connection=connection, target_metadata=Base.metadata, compare_server_default=True)
    with context.begin_transaction():
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        context.run_migrations()


async def run_online() -> None:
    settings = CommonSettings()
    tls = tls_arguments(settings.database_url.get_secret_value())
    engine = create_async_engine(settings.async_database_url, poolclass=pool.NullPool, connect_args=tls)
    async with engine.connect() as connection:
        await connection.run_sync(run)
    await engine.dispose()


def run_offline() -> None:
    context.configure(dialect_name="postgresql", target_metadata=Base.metadata, literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()


if context.is_offline_mode():
    run_offline()
else:
    asyncio.run(run_online())

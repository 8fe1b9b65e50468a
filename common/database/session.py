"""PostgreSQL: the engine and the sessions. Transactions belong to services; repositories never commit."""

from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine

from common.config import CommonSettings
from common.database.tls import tls_arguments

type Sessions = async_sessionmaker[AsyncSession]


def create_engine(settings: CommonSettings, *, name: str = "letuin") -> AsyncEngine:
    """The engine for DATABASE_URL; it connects at first use. `name` shows in `pg_stat_activity`."""
    return create_async_engine(
        settings.async_database_url,
        pool_size=settings.database_pool_size,
        max_overflow=0,
        pool_timeout=settings.database_pool_timeout.total_seconds(),
        pool_pre_ping=False,
        hide_parameters=True,
        connect_args=connect_arguments(settings, name),
    )


def connect_arguments(settings: CommonSettings, name: str) -> dict[str, Any]:
    """How every connection is made, beyond host, user and database. Seconds."""
    return {
        **tls_arguments(settings.database_url.get_secret_value()),
        "timeout": settings.database_connect_timeout.total_seconds(),
        "command_timeout": settings.database_command_timeout.total_seconds(),
        "server_settings": {"application_name": name, "timezone": "UTC"},
    }


def create_sessions(engine: AsyncEngine) -> Sessions:
    """Sessions whose objects stay readable after the commit."""
    return async_sessionmaker(engine, expire_on_commit=False)

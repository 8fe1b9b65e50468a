"""Connections for single statements: one that was cut off in the middle is never used again."""

import asyncio

import pytest
from sqlalchemy import Integer
from sqlalchemy.exc import DBAPIError

from common.config import CommonSettings
from common.database.direct import DirectPool
from common.repository.sql import statement
from tests.faults.proxy import TcpProxy

ECHO = statement("SELECT CAST(:number AS integer) AS number", number=Integer())
CALLS = 12


async def test_a_call_that_is_given_up_spoils_no_later_one(settings: CommonSettings) -> None:
    """Window: the server says nothing for a while; the answer to a call that nobody awaits comes later."""
    head, _, tail = settings.database_url.get_secret_value().rpartition(":")
    port, _, name = tail.partition("/")
    async with TcpProxy(int(port)) as proxy:
        through = {"environment": "test", "database_url": f"{head}:{proxy.port}/{name}"}
        pool = DirectPool(CommonSettings.model_validate(through))
        assert (await pool.fetch(ECHO, {"number": 1}))[0]["number"] == 1
        for _ in range(2):
            proxy.silence()
            given_up = await asyncio.gather(*(_limited(pool, n) for n in range(CALLS)), return_exceptions=True)
            assert all(isinstance(error, TimeoutError | DBAPIError) for error in given_up)
            proxy.speak()
            rows = await asyncio.gather(*(pool.fetch(ECHO, {"number": n}) for n in range(CALLS)))
            assert [row[0]["number"] for row in rows] == list(range(CALLS))
        await pool.close()


async def _limited(pool: DirectPool, number: int) -> object:
    async with asyncio.timeout(0.3):
        return await pool.fetch(ECHO, {"number": number})


async def test_a_value_that_does_not_fit_costs_no_connection(settings: CommonSettings) -> None:
    pool = DirectPool(settings)
    with pytest.raises(DBAPIError):
        await pool.fetch(ECHO, {"number": "no number"})
    assert (await pool.fetch(ECHO, {"number": 7}))[0]["number"] == 7
    await pool.close()

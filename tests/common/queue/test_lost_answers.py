"""A commit that happened though its answer was lost: the client's second try must find the first one's job."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from common.container import CommonContainer
from common.jobs.system_echo import SystemEchoPayload, system_echo
from common.repository.idempotency import RequestKey
from common.repository.job import Owner
from tests.faults.unsure import Unsure

HELLO = SystemEchoPayload(message="hello")
KEY = RequestKey("POST /jobs", "first order", "same body")


async def test_a_second_try_with_the_same_key_gets_the_job_of_the_first(
    container: CommonContainer, owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Window: the commit is done, the reply is lost."""
    with monkeypatch.context() as lying:
        unsure = Unsure(1.0)
        lying.setattr("tests.faults.unsure.WRITES", {})  # the commit alone
        unsure.install(lying.setattr)
        with pytest.raises(OperationalError):
            await container.queue().accept(system_echo, HELLO, owner=owner, key=KEY)
    assert unsure.lied["commit"] == 1
    again = await container.queue().accept(system_echo, HELLO, owner=owner, key=KEY)
    assert again.is_replayed
    async with container.sessions()() as db:
        assert (await db.execute(text("SELECT array_agg(id) FROM jobs"))).scalar_one() == [again.job.id]

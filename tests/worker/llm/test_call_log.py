"""Records of calls that nobody could write down are counted, and a call never waits for them."""

from common.queue.status import JobStatus
from tests.worker.llm.conftest import Desk, Working
from worker.container import WorkerContainer


async def test_a_log_that_is_away_loses_records_and_says_so(desk: Desk, working: Working) -> None:
    found: list[WorkerContainer] = []
    async with working(found.append, mongodb_url="mongodb://127.0.0.1:9/logs", llm_call_log=True):
        job = await desk.ask()
    assert job.status == JobStatus.SUCCEEDED
    text = found[0].metrics().render()[0].decode()
    assert 'letuin_llm_call_log_entries_total{outcome="dropped"} 1.0' in text
    assert 'letuin_llm_call_log_entries_total{outcome="written"} 0.0' in text

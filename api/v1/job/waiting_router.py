"""/jobs/{id}/waiting: why has it not started?"""

from api.dependencies import CallerDep, WaitingServiceDep
from api.feature import feature_router
from api.v1.job.dependencies import JobIdDep
from api.v1.job.schema import Waiting
from api.v1.job.waiting_schema import AwaitedRead, LimitRead, QueueFacts, WaitingRead
from api.v1.job.waiting_service import MOST_COUNTED, WaitFacts

router = feature_router("/jobs", tag="jobs")


@router.get("/{job_id}/waiting")
async def explain_waiting(job_id: JobIdDep, caller: CallerDep, service: WaitingServiceDep) -> WaitingRead:
    """Why the job has not started: what holds it back, its place in its queue, and how long that will probably take.

    The place is by priority and age; owners with many jobs take turns with others, so it may start sooner or later.
    """
    return _describe(await service.explain(job_id, caller.reach), tells_others=caller.grant is None)


def _describe(facts: WaitFacts, *, tells_others: bool) -> WaitingRead:
    """The answer; the token of one job learns how many others there are, not which."""
    job, wait = facts.job, facts.wait
    return WaitingRead(
        job_id=job.id,
        status=job.status,
        waiting=None if wait is None else Waiting.model_validate(wait),
        queue=None if wait is None else _describe_queue(facts),
        position=None if facts.ahead is None else min(facts.ahead, MOST_COUNTED - 1) + 1,
        is_position_exact=facts.ahead is not None and facts.ahead < MOST_COUNTED,
        estimate=None if facts.estimate is None else max(0.0, facts.estimate.total_seconds()),
        awaits=[AwaitedRead.model_validate(awaited) for awaited in facts.awaited if tells_others],
        limits=[LimitRead.of(limit, tells_holders=tells_others) for limit in facts.limits],
    )


def _describe_queue(facts: WaitFacts) -> QueueFacts:
    throughput = facts.throughput
    return QueueFacts(
        name=facts.job.queue,
        is_paused=facts.is_paused,
        workers=facts.service.workers,
        slots=facts.service.slots,
        ended_per_minute=None if throughput is None else throughput.ended * 60,
    )

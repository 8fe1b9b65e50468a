"""/ops: queues and workers, for operators."""

from typing import Annotated
from uuid import UUID

from fastapi import Path

from api.audit_trail import AuditTrailDep
from api.dependencies import CallerDep, OpsServiceDep
from api.feature import feature_router
from api.v1.ops.schema import QueueList, QueuePaused, WorkerChange, WorkerList, WorkerRead

router = feature_router("/ops", tag="ops")
QueueName = Annotated[str, Path(max_length=64, pattern=r"^[^\x00-\x1f\x7f]+$")]


@router.get("/queues")
async def list_queues(caller: CallerDep, service: OpsServiceDep) -> QueueList:
    """What waits and runs in each queue, how many workers serve it, how quickly it moves, and how long jobs wait."""
    return QueueList(items=await service.list_queues(caller))


@router.post("/queues/{name}/pause")
async def pause_queue(name: QueueName, caller: CallerDep, service: OpsServiceDep, trail: AuditTrailDep) -> QueuePaused:
    """Claim nothing more from this queue; jobs are still accepted, and running ones go on."""
    await service.set_paused(caller, name, is_paused=True)
    trail.note("queue.pause", f"queue:{name}")
    return QueuePaused(name=name, is_paused=True)


@router.post("/queues/{name}/resume")
async def resume_queue(name: QueueName, caller: CallerDep, service: OpsServiceDep, trail: AuditTrailDep) -> QueuePaused:
    """Claim from this queue again."""
    await service.set_paused(caller, name, is_paused=False)
    trail.note("queue.resume", f"queue:{name}")
    return QueuePaused(name=name, is_paused=False)


@router.get("/workers")
async def list_workers(caller: CallerDep, service: OpsServiceDep) -> WorkerList:
    """The worker processes that have not ended."""
    workers = await service.list_workers(caller)
    return WorkerList(items=[WorkerRead.model_validate(worker) for worker in workers])


@router.patch("/workers/{worker_id}")
async def change_worker(
    worker_id: UUID, change: WorkerChange, caller: CallerDep, service: OpsServiceDep, trail: AuditTrailDep
) -> WorkerRead:
    """Pause, drain or resume one worker, or change how many jobs it runs at once; it obeys within a heartbeat (5 s)."""
    worker = await service.steer(caller, worker_id, change)
    trail.note("worker.change", f"worker:{worker_id}", **change.model_dump(exclude_unset=True))
    return WorkerRead.model_validate(worker)

"""/threads: conversations with an agent that are remembered."""

from datetime import timedelta
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Path, Query, Request, Response, status

from api.dependencies import CallerDep, JobServiceDep, RequestIdDep, from_state
from api.feature import feature_router
from api.page_limit import PageLimitDep
from api.paging import CursorQuery, link_next
from api.path_ids import parse_id
from api.preferences import name_async
from api.v1.job.answer import JSON, describe
from api.v1.job.dependencies import WaitDep
from api.v1.job.idempotency import IdempotencyDep, mark_replayed
from api.v1.job.schema import JobRead, job_json
from api.v1.job.service import JobService, has_ended
from api.v1.thread.schema import (
    CheckpointPage,
    ForkPost,
    MessagePage,
    MessagePost,
    ResumePost,
    ThreadCreate,
    ThreadFork,
    ThreadPage,
    ThreadRead,
    ThreadState,
    ThreadUpdate,
)
from api.v1.thread.service import ThreadService
from api.v1.thread.turns import Turn, TurnService
from common.repository.job import Owner

router = feature_router("/threads", tag="threads")

ThreadServiceDep = Annotated[ThreadService, from_state("threads")]
TurnServiceDep = Annotated[TurnService, from_state("turns")]


async def get_thread_id(thread_id: Annotated[str, Path(description="The thread's id.")]) -> UUID:
    """The id from the path."""
    return parse_id(thread_id, "thread")


ThreadIdDep = Annotated[UUID, Depends(get_thread_id)]
_ACCEPTED = status.HTTP_202_ACCEPTED
_OVER: dict[int | str, dict[str, Any]] = {200: {"model": JobRead}}


@router.post("", status_code=status.HTTP_201_CREATED)
async def create_thread(
    wanted: ThreadCreate,
    caller: CallerDep,
    service: ThreadServiceDep,
    idempotency: IdempotencyDep,
    request: Request,
    response: Response,
) -> ThreadRead:
    """A new thread."""
    thread, is_replayed = await service.create(caller.owner, wanted, await idempotency.key_of_path())
    mark_replayed(response, is_replayed=is_replayed)
    response.headers["Location"] = f"{request.url.path}/{thread.id}"
    return thread


@router.get("")
async def list_threads(
    caller: CallerDep,
    service: ThreadServiceDep,
    limit: PageLimitDep,
    request: Request,
    response: Response,
    cursor: CursorQuery = None,
) -> ThreadPage:
    """Your threads, newest first."""
    page = await service.list_page(caller.owner, limit, cursor)
    link_next(request, response, page.next_cursor)
    return ThreadPage(items=list(page.items), next_cursor=page.next_cursor)


@router.get("/{thread_id}")
async def get_thread(thread_id: ThreadIdDep, caller: CallerDep, service: ThreadServiceDep) -> ThreadRead:
    """One thread, with the jobs that wait or run, and the interrupt that it waits at."""
    return await service.get(caller.owner, thread_id)


@router.patch("/{thread_id}")
async def update_thread(
    thread_id: ThreadIdDep, change: ThreadUpdate, caller: CallerDep, service: ThreadServiceDep
) -> ThreadRead:
    """Rename it, or change where it searches."""
    return await service.update(caller.owner, thread_id, change)


@router.delete("/{thread_id}", status_code=status.HTTP_204_NO_CONTENT)
async def delete_thread(
    thread_id: ThreadIdDep, caller: CallerDep, service: TurnServiceDep, request_id: RequestIdDep
) -> None:
    """Stop its jobs, remove what was said and remembered. Deleting it again answers the same."""
    await service.delete(caller.owner, thread_id, request_id)


@router.post("/{thread_id}/messages", status_code=_ACCEPTED, response_model=JobRead, responses=_OVER)
async def post_message(
    thread_id: ThreadIdDep,
    message: MessagePost,
    caller: CallerDep,
    service: TurnServiceDep,
    jobs: JobServiceDep,
    request_id: RequestIdDep,
    wait: WaitDep,
    idempotency: IdempotencyDep,
    request: Request,
) -> Response:
    """Say something. The answer is the job of this turn: follow its events. `Prefer: wait=N` waits for its end."""
    turn = await service.post(caller.owner, thread_id, message, request_id, await idempotency.key_of_path())
    return await _answer(request, jobs, turn, caller.owner, wait)


@router.get("/{thread_id}/messages")
async def list_messages(
    thread_id: ThreadIdDep,
    caller: CallerDep,
    service: ThreadServiceDep,
    limit: PageLimitDep,
    request: Request,
    response: Response,
    cursor: CursorQuery = None,
) -> MessagePage:
    """What was said, newest first; answers with their citations."""
    page = await service.list_messages(caller.owner, thread_id, limit, cursor)
    link_next(request, response, page.next_cursor)
    return MessagePage(items=list(page.items), next_cursor=page.next_cursor)


@router.get("/{thread_id}/history")
async def list_history(
    thread_id: ThreadIdDep,
    caller: CallerDep,
    service: ThreadServiceDep,
    limit: PageLimitDep,
    request: Request,
    response: Response,
    cursor: CursorQuery = None,
) -> CheckpointPage:
    """Its checkpoints, newest first: each can be forked."""
    page = await service.list_checkpoints(caller.owner, thread_id, limit, cursor)
    link_next(request, response, page.next_cursor)
    return CheckpointPage(items=list(page.items), next_cursor=page.next_cursor)


@router.get("/{thread_id}/state")
async def get_state(
    thread_id: ThreadIdDep,
    caller: CallerDep,
    service: ThreadServiceDep,
    checkpoint_id: Annotated[UUID | None, Query(description="Left out: the newest.")] = None,
) -> ThreadState:
    """What it remembers now, or at a checkpoint."""
    return await service.get_state(caller.owner, thread_id, checkpoint_id)


@router.post("/{thread_id}/fork", status_code=_ACCEPTED)
async def fork_thread(
    thread_id: ThreadIdDep,
    wanted: ForkPost,
    caller: CallerDep,
    service: TurnServiceDep,
    request_id: RequestIdDep,
    idempotency: IdempotencyDep,
    response: Response,
) -> ThreadFork:
    """A new thread that goes on from a checkpoint of this one. Say something at once: it waits for the copy."""
    key = await idempotency.key_of_path()
    thread, turn = await service.fork(caller.owner, thread_id, wanted, request_id, key)
    response.headers["Location"] = f"/api/v1/threads/{thread.id}"
    mark_replayed(response, is_replayed=turn.is_replayed)
    return ThreadFork(thread=thread, job=JobRead.of(turn.job))


@router.post("/{thread_id}/resume", status_code=_ACCEPTED, response_model=JobRead, responses=_OVER)
async def resume_thread(
    thread_id: ThreadIdDep,
    reply: ResumePost,
    caller: CallerDep,
    service: TurnServiceDep,
    jobs: JobServiceDep,
    request_id: RequestIdDep,
    wait: WaitDep,
    idempotency: IdempotencyDep,
    request: Request,
) -> Response:
    """Answer the interrupt that the thread waits at; 409 when it waits at none, 422 for another kind of answer."""
    turn = await service.resume(caller.owner, thread_id, reply, request_id, await idempotency.key_of_path())
    return await _answer(request, jobs, turn, caller.owner, wait)


async def _answer(request: Request, jobs: JobService, turn: Turn, owner: Owner, wait: timedelta) -> Response:
    job = turn.job
    if wait:
        job = await jobs.wait_after_submit(job, owner, wait)
    is_over = has_ended(job) and bool(wait)
    code = status.HTTP_200_OK if is_over else status.HTTP_202_ACCEPTED
    response = Response(job_json(job), code, media_type=JSON)
    response.headers["Location"] = f"/api/v1/jobs/{job.id}"
    mark_replayed(response, is_replayed=turn.is_replayed)
    describe(response, job, wait)
    if not is_over:
        name_async(request, response)
    return response

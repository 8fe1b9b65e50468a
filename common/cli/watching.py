"""Staying with a job until it ends: shared by `submit` and `jobs watch`."""

import asyncio
from contextlib import aclosing
from dataclasses import dataclass
from time import monotonic

from common.cli.api_client import ApiClient, Job
from common.cli.event_feed import SNAPSHOT, follow
from common.cli.exits import CommandError, ExitCode
from common.cli.follow_view import FollowView
from common.cli.output import error_console, print_json
from common.cli.surroundings import command_name
from common.queue.status import TERMINAL, JobStatus

_LONGEST_WAIT, _SHORTEST_ROUND = 20.0, 0.3


@dataclass(frozen=True, kw_only=True)
class Stay:
    """How to stay with a job: follow its events, or wait, not longer than `limit` seconds."""

    follow: bool = False
    wait: bool = False
    limit: float | None = None
    as_json: bool = False


async def stay_with(client: ApiClient, job_id: str, stay: Stay) -> ExitCode:
    """Stay until the job ends and show how: 0 when it succeeded, else 1. Ctrl-C leaves, the job goes on."""
    try:
        if stay.follow:
            job = await _follow(client, job_id, as_json=stay.as_json)
        else:
            job = await _wait(client, job_id, stay.limit)
            _show(job, as_json=stay.as_json)
    except asyncio.CancelledError:
        letuin = command_name()
        error_console().print(
            f"\nThe job goes on. Watch it: {letuin} jobs watch {job_id}\n"
            f"                  Cancel it: {letuin} jobs cancel {job_id}"
        )
        raise
    return ExitCode.OK if job["status"] == JobStatus.SUCCEEDED else ExitCode.FAILED


async def _follow(client: ApiClient, job_id: str, *, as_json: bool) -> Job:
    """Show the job's events until it ends. As JSON: an event a line, then the job."""
    if as_json:
        async with aclosing(follow(client, job_id)) as events:
            async for event in events:
                if event["type"] != SNAPSHOT:
                    print_json(event)
        job = await client.job(job_id)
        print_json(job)
        return job
    with FollowView() as view:
        async with aclosing(follow(client, job_id)) as events:
            async for event in events:
                view.show(event)
        job = await client.job(job_id)
        view.finish(job)
    return job


def _show(job: Job, *, as_json: bool) -> None:
    if as_json:
        print_json(job)
        return
    with FollowView() as view:
        view.finish(job)


async def _wait(client: ApiClient, job_id: str, limit: float | None) -> Job:
    """The job as soon as it has ended. Raises CommandError when that takes longer than `limit` seconds."""
    end = None if limit is None else monotonic() + limit
    while True:
        begun = monotonic()
        left = _LONGEST_WAIT if end is None else min(_LONGEST_WAIT, end - begun)
        job = await client.job(job_id, wait=max(left, 0))
        if job["status"] in TERMINAL:
            return job
        if end is not None and monotonic() >= end:
            raise CommandError(f"Job {job_id} is still {job['status']} after {limit:g} s.", ExitCode.FAILED)
        # An api that answers early must not be asked in a tight loop.
        await asyncio.sleep(max(0.0, _SHORTEST_ROUND - (monotonic() - begun)))

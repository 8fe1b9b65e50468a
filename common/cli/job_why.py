"""Why a job waits, in sentences."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from common.cli.cells import cell, span

_WORDS = {
    "schedule": "its time has not come",
    "retry": "its last attempt failed, and the next one comes later",
    "snoozed": "its handler put it off",
    "dependency": "it waits for other jobs to end",
    "concurrency": "others hold all places of a limit",
    "rate": "a rate limit put it off",
    "budget": "a budget is used up",
    "cooldown": "what it calls has failed, and is left alone for a while",
    "unknown_kind": "the worker that took it is of another release and put it back",
    "paused": "its queue is paused",
    "no_worker": "no worker takes jobs from its queue",
    "queue": "its turn has not come",
}
_ADVICE = {
    "paused": "letuin queues resume {queue}",
    "no_worker": "letuin worker --queues {queue}, or look for paused ones: letuin workers list",
    "dependency": "letuin jobs show {awaited}",
    "concurrency": "letuin jobs show {holder}",
    "queue": "letuin workers list; more of them, or more slots, make the queue shorter",
}
_SCOPES = {
    "kind": "jobs of the kind {key}",
    "owner": "jobs of its owner",
    "key": "jobs with the key {key}",
    "crashed": "jobs whose workers died, one at a time",
}


def explain(told: Mapping[str, Any]) -> Iterator[str]:
    """The answer of the api, a sentence a line."""
    wait = told["waiting"]
    if wait is None:
        yield f"It does not wait: it is {told['status']}."
        return
    words = f": {cell(wait['message'])}" if wait["message"] else ""
    yield f"[bold]{wait['reason']}[/]: {_WORDS[wait['reason']]}{words}."
    if wait["until"]:
        moment = datetime.fromisoformat(wait["until"]).astimezone()
        yield f"It may start at {moment:%Y-%m-%d %H:%M:%S} at the earliest."
    yield from _name_others(told)
    yield _describe_queue(told["queue"])
    if told["position"] is not None:
        yield f"Its place in the queue is {'' if told['is_position_exact'] else '>'}{told['position']}."
    if told["estimate"] is not None:
        yield f"It will probably start in {span(told['estimate'])}."
    if advice := _ADVICE.get(wait["reason"]):
        yield f"[dim]→ {advice.format_map(_names(told))}[/]"


def _name_others(told: Mapping[str, Any]) -> Iterator[str]:
    for job in told["awaits"]:
        yield f"It waits for {job['id']} ({cell(job['kind'])}, {job['status']}; on failure: {job['on_failure']})."
    for limit in told["limits"]:
        scope = _SCOPES.get(limit["scope"], limit["scope"]).format(key=cell(limit["key"]))
        holders = f": {', '.join(limit['holders'])}" if limit["holders"] else ""
        yield f"Of {limit['limit']} places for {scope}, {limit['running']} are taken{holders}."


def _describe_queue(queue: Mapping[str, Any]) -> str:
    pace = "none has ended lately" if queue["ended_per_minute"] is None else f"{queue['ended_per_minute']:.1f} a minute"
    state = "is paused" if queue["is_paused"] else "is open"
    return (
        f"Its queue, {cell(queue['name'])}, {state}; workers: {queue['workers']} with {queue['slots']} slots; "
        f"jobs ended: {pace}."
    )


def _names(told: Mapping[str, Any]) -> dict[str, str]:
    holders = [job_id for limit in told["limits"] for job_id in limit["holders"]]
    return {
        "queue": cell(told["queue"]["name"]),
        "awaited": told["awaits"][0]["id"] if told["awaits"] else "ID",
        "holder": holders[0] if holders else "ID",
    }

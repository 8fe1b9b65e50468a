"""Jobs and kinds as tables."""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from rich.table import Table

from common.cli.api_client import Job
from common.cli.cells import age, cell, column_table
from common.cli.payload import types_of

_COLOURS = {
    "queued": "yellow",
    "running": "cyan",
    "succeeded": "green",
    "failed": "red",
    "cancelled": "magenta",
    "expired": "magenta",
}
_ID_WIDTH = 36
_TIMES = ("run_at", "created_at", "started_at", "finished_at")


def job_table(jobs: Iterable[Job]) -> Table:
    """One line a job."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("id", no_wrap=True, min_width=_ID_WIDTH)
    for name in ("kind", "status", "attempt", "age"):
        table.add_column(name, no_wrap=True)
    for job in jobs:
        row = (job["id"], cell(job["kind"]), _status(job["status"]), str(job["attempt"]), age(job["created_at"]))
        table.add_row(*row)
    return table


def attempt_table(attempts: Iterable[Mapping[str, Any]]) -> Table:
    """One line an attempt."""
    table = column_table("attempt", "outcome", "worker", "started", "took", "error")
    for attempt in attempts:
        begun, ended = (datetime.fromisoformat(attempt[name]) for name in ("started_at", "finished_at"))
        error = attempt["error"] or {}
        words = cell(f"{error.get('code', '')}: {error.get('message', '')}" if error else "")
        took = f"{(ended - begun).total_seconds():.2f} s"
        names = (cell(attempt["outcome"]), attempt["worker_id"])
        table.add_row(str(attempt["attempt"]), *names, _time(attempt["started_at"]), took, words)
    return table


def job_details(job: Job) -> Table:
    """Every field that has a value, one a line."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in job.items():
        if value is None or value in ([], {}):
            continue
        table.add_row(name, _value(name, value))
    return table


def kind_table(kinds: Iterable[Mapping[str, Any]]) -> Table:
    """One line a kind: its queue, its fields (`*` must be given) and what it does."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("kind", no_wrap=True)
    table.add_column("queue", no_wrap=True)
    table.add_column("fields", overflow="fold")
    table.add_column("what it does", overflow="fold")
    for kind in kinds:
        summary = str(kind.get("description") or "").partition("\n")[0]
        table.add_row(cell(kind["name"]), cell(kind["queue"]), _fields(kind["payload"]), cell(summary))
    return table


def _fields(schema: Mapping[str, Any]) -> str:
    required = set(schema.get("required", []))
    described = []
    for name, field in schema.get("properties", {}).items():
        types = "|".join(sorted(types_of(field, schema) - {"null"})) or "any"
        described.append(f"{name}{'*' if name in required else ''}: {types}")
    return cell("\n".join(described))


def _value(name: str, value: Any) -> str:
    if name == "status":
        return _status(value)
    if name in _TIMES:
        return _time(value)
    return cell(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2))


def _status(status: str) -> str:
    colour = _COLOURS.get(status, "white")
    return f"[{colour}]{cell(status)}[/]"


def _time(text: str) -> str:
    return datetime.fromisoformat(text).astimezone().strftime("%Y-%m-%d %H:%M:%S")

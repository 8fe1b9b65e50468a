"""Schedules and their firings as tables."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from rich.table import Table

from common.cli.cells import cell, column_table
from common.cli.moment import show_moment

_COLOURS = {"active": "green", "paused": "yellow", "disabled": "red", "ended": "dim"}
_TIMES = ("run_at", "starts_at", "ends_at", "next_run_at", "last_run_at")
_SECONDS = ("interval", "jitter", "catch_up_window", "timeout", "expires_in")
_QUIET = ("owner_id", "priority", "version", "created_at", "updated_at")
_UNITS = (("d", 86_400), ("h", 3600), ("min", 60))


def schedule_table(schedules: Iterable[Mapping[str, Any]]) -> Table:
    """One line a schedule; the next slot in its own zone."""
    table = column_table("id", "name", "kind", "when", "status", "next slot")
    for each in schedules:
        names = (each["id"], cell(each["name"]), cell(each["kind"]), cell(_when(each)))
        table.add_row(*names, _status(each["status"]), show_moment(each["next_run_at"], each["timezone"]))
    return table


def schedule_details(schedule: Mapping[str, Any]) -> Table:
    """Every field that says something, one a line."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in schedule.items():
        if value not in (None, [], {}, 0) and name not in _QUIET:
            table.add_row(name, _value(name, value, schedule["timezone"]))
    return table


def firing_table(firings: Iterable[Mapping[str, Any]], zone: str) -> Table:
    """One line a slot: what it did, how late, and what became of its job."""
    table = column_table("slot", "cause", "outcome", "late", "job", "job status", "why")
    for each in firings:
        job = each["job"] or {}
        late = "" if each["cause"] in ("manual", "backfill") else f"{each['lag']:.1f} s"
        names = (show_moment(each["slot"], zone), cell(each["cause"]), cell(each["outcome"]), late)
        table.add_row(*names, each["job_id"] or "", cell(job.get("status", "")), cell(each["detail"] or ""))
    return table


def _when(schedule: Mapping[str, Any]) -> str:
    if schedule["cron"] is not None:
        return f"{schedule['cron']} {schedule['timezone']}"
    if schedule["interval"] is not None:
        return f"every {_span(schedule['interval'])}"
    return f"once at {show_moment(schedule['run_at'], schedule['timezone'])}"


def _value(name: str, value: Any, zone: str) -> str:
    if name == "status":
        return _status(value)
    if name in _TIMES:
        return show_moment(value, zone)
    if name in _SECONDS:
        return _span(value)
    return cell(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def _span(seconds: float) -> str:
    """In the largest unit that says it exactly."""
    return next((f"{seconds / size:g} {unit}" for unit, size in _UNITS if seconds % size == 0), f"{seconds:g} s")


def _status(status: str) -> str:
    return f"[{_COLOURS.get(status, 'white')}]{cell(status)}[/]"

"""One picture of the whole system: queues, workers, and what runs."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from common.cli.api_client import ApiClient
from common.cli.cells import age, cell, column_table
from common.cli.queues import queue_table
from common.cli.workers import worker_table

_MOST_JOBS = 20


@dataclass(frozen=True, slots=True)
class Frame:
    """What the api said at `moment`."""

    moment: datetime
    queues: list[dict[str, Any]]
    workers: list[dict[str, Any]]
    running: list[dict[str, Any]]

    @classmethod
    async def take(cls, client: ApiClient) -> "Frame":
        """Ask the api. Raises what `ApiClient` raises."""
        queues = await client.get("/ops/queues")
        workers = await client.get("/ops/workers")
        running = await client.jobs({"status": "running", "everybody": True, "limit": _MOST_JOBS})
        return cls(datetime.now().astimezone(), queues["items"], workers["items"], running["items"])

    def describe(self) -> dict[str, Any]:
        """The same for machines."""
        parts = {"queues": self.queues, "workers": self.workers, "running": self.running}
        return {"at": self.moment.isoformat(), **parts}

    def draw(self, *, url: str, note: str = "") -> RenderableType:
        """The picture; `note` goes behind its first line."""
        head = f"[bold]letuin[/]  {cell(url)}  {self.moment:%H:%M:%S}  {self._totals()}  {note}"
        parts: list[RenderableType] = [Text.from_markup(head), Text(""), queue_table(self.queues), Text("")]
        parts += [worker_table(self.workers) if self.workers else Text("no worker runs", style="red"), Text("")]
        parts.append(self._draw_running())
        return Group(*parts)

    def _totals(self) -> str:
        queued, running = (sum(queue[name] for queue in self.queues) for name in ("queued", "running"))
        slots = sum(worker["concurrency"] for worker in self.workers)
        ended, failed = (
            sum(queue[name] or 0.0 for queue in self.queues) for name in ("ended_per_minute", "failed_per_minute")
        )
        failures = f"[red]{failed:.1f} failed/min[/]" if failed else "0 failed/min"
        return f"{queued} queued  {running} of {slots} slots busy  {ended:.1f} ended/min  {failures}"

    def _draw_running(self) -> Table:
        table = column_table("running job", "kind", "queue", "attempt", "for", "progress")
        for job in self.running:
            started = age(job["started_at"]) if job["started_at"] else "-"
            names = (cell(job["kind"]), cell(job["queue"]))
            table.add_row(job["id"], *names, str(job["attempt"]), started, _progress(job["progress"]))
        more = sum(queue["running"] for queue in self.queues) - len(self.running)
        if more > 0:
            table.add_row(f"[dim]and {more} more[/]")
        return table


def _progress(progress: Mapping[str, Any] | None) -> str:
    if not progress:
        return ""
    return cell("  ".join(f"{name} {value}" for name, value in progress.items())[:60])

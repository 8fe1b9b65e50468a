"""What came out: promises kept or broken, and how long each kind of fault was felt."""

import os
import platform
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from math import ceil, isfinite
from typing import Any

from rich import box
from rich.console import Console, Group
from rich.table import Table

from tests.faults.history import Promise, Violation

_EXAMPLES = 20


@dataclass
class Report:
    """Filled by a campaign. Times are seconds from the strike to the recovery, the outage included."""

    seconds: float
    seed: int
    lease: float
    workers: int
    jobs_per_second: float
    begun: datetime = field(default_factory=lambda: datetime.now(UTC))
    counts: Counter[str] = field(default_factory=Counter)
    statuses: Counter[str] = field(default_factory=Counter)
    recoveries: dict[str, list[float]] = field(default_factory=dict)
    violations: list[Violation] = field(default_factory=list)
    runs: int = 0
    crashes: int = 0
    writes_refused: int = 0

    def note(self, fault: str, seconds: float) -> None:
        """Keep one recovery; infinite when it did not come."""
        self.recoveries.setdefault(fault, []).append(seconds)

    @property
    def broken(self) -> Counter[Promise]:
        """How often each promise was broken."""
        return Counter(violation.promise for violation in self.violations)

    @property
    def is_whole(self) -> bool:
        """Whether every promise held and every fault was recovered from."""
        return not self.violations and all(isfinite(t) for times in self.recoveries.values() for t in times)

    def document(self) -> dict[str, Any]:
        """Everything, for other programs; a recovery that did not come is null."""
        return {
            "begun": self.begun.isoformat(),
            "letuin": version("letuin"),
            "machine": {"system": platform.platform(), "cpus": os.cpu_count(), "python": platform.python_version()},
            "seconds": self.seconds,
            "seed": self.seed,
            "lease": self.lease,
            "workers": self.workers,
            "jobs_per_second": self.jobs_per_second,
            "jobs": {**self.counts, **self.statuses},
            "attempts": {
                "started": self.runs,
                "ended by a crash": self.crashes,
                "outdated writes refused": self.writes_refused,
            },
            "violations": {str(promise): self.broken[promise] for promise in Promise},
            "examples": [str(violation) for violation in self.violations[:_EXAMPLES]],
            "recovery": {fault: _figures(times) for fault, times in self.recoveries.items()},
            "whole": self.is_whole,
        }

    def print(self, console: Console) -> None:
        """Both tables, and examples of what was broken."""
        console.print(Group(self._recovery_table(), self._promise_table()))
        for violation in self.violations[:_EXAMPLES]:
            console.print(f"  {violation}", style="red", markup=False)
        accepted, refused = self.counts["accepted"], self.counts["refused"]
        console.print(
            f"{accepted} jobs accepted, {refused} refused while PostgreSQL was away; {self.runs} attempts started, "
            f"{self.crashes} ended by a crash, {self.writes_refused} outdated writes refused; seed {self.seed}"
        )

    def _recovery_table(self) -> Table:
        title = "Seconds from the strike until all is as before"
        table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
        table.add_column("fault")
        for name in ("struck", "p50", "p95", "max"):
            table.add_column(name, justify="right")
        for fault, times in sorted(self.recoveries.items()):
            figures = (percentile(times, 0.5), percentile(times, 0.95), max(times))
            table.add_row(fault, str(len(times)), *(f"{t:.2f}" if isfinite(t) else "never" for t in figures))
        return table

    def _promise_table(self) -> Table:
        title = f"Broken promises among {sum(self.statuses.values())} jobs"
        table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
        table.add_column("what")
        table.add_column("jobs", justify="right")
        for promise in Promise:
            count = self.broken[promise]
            table.add_row(promise, str(count), style="bold red" if count else None)
        return table


def percentile(values: list[float], share: float) -> float:
    """The smallest value that at least `share` of them do not exceed."""
    return sorted(values)[ceil(share * len(values)) - 1]


def _figures(times: list[float]) -> dict[str, Any]:
    figures = {"p50": percentile(times, 0.5), "p95": percentile(times, 0.95), "max": max(times)}
    return {"struck": len(times), **{n: _finite(t) for n, t in figures.items()}, "all": [_finite(t) for t in times]}


def _finite(value: float) -> float | None:
    return round(value, 3) if isfinite(value) else None

"""What was measured: every run, its medians, and the machine it ran on."""

import json
import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import isfinite
from pathlib import Path
from statistics import median
from typing import Any

from tests.benchmark.cases.base import Case, Figures
from tests.benchmark.catalog import installed_versions


@dataclass
class Results:
    """Runs by case and engine, in the order they were made; failures as sentences."""

    runs: dict[str, dict[str, list[Figures]]] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    busy: list[float] = field(default_factory=list)
    begun: datetime = field(default_factory=lambda: datetime.now(UTC))

    def add(self, case: str, engine: str, figures: Figures) -> None:
        """Keep one run."""
        self.runs.setdefault(case, {}).setdefault(engine, []).append(figures)

    def note_busy(self, percent: float) -> None:
        """Keep how busy the machine was just before a run, when nothing of this benchmark ran."""
        self.busy.append(percent)

    def values(self, case: str, engine: str, figure: str) -> list[float]:
        """One figure of all runs."""
        return [run[figure] for run in self.runs[case][engine] if figure in run]

    def median(self, case: str, engine: str, figure: str) -> float | None:
        """The median of one figure, None where it was not measured."""
        values = self.values(case, engine, figure)
        return median(values) if values else None

    def best_peer(self, case: Case) -> float | None:
        """The best median of the main figure among the other engines."""
        main = main_figure(case)
        medians = [m for m in self._medians_of_others(case.name, main.name) if isfinite(m)]
        if not medians:
            return None
        return max(medians) if main.more_is_better else min(medians)

    def _medians_of_others(self, case: str, figure: str) -> Iterator[float]:
        for engine in self.runs.get(case, {}):
            value = self.median(case, engine, figure)
            if value is not None and not engine.startswith("letuin"):
                yield value

    def write_json(self, path: Path, cases: Sequence[Case], settings: Mapping[str, Any]) -> None:
        """Everything, for other programs; what did not happen in time is null."""
        document = {
            "begun": self.begun.isoformat(),
            "machine": {"system": platform.platform(), "cpus": os.cpu_count(), "python": platform.python_version()},
            "versions": installed_versions(),
            "settings": dict(settings),
            "busy_before": self.busy,
            "failures": self.failures,
            "cases": {case.name: self._case(case) for case in cases if case.name in self.runs},
        }
        path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")

    def _case(self, case: Case) -> dict[str, Any]:
        units = {figure.name: figure.unit for figure in case.figures}
        engines = {
            engine: {name: [_finite(value) for value in self.values(case.name, engine, name)] for name in units}
            for engine in self.runs[case.name]
        }
        medians = {
            engine: {name: _finite(self.median(case.name, engine, name)) for name in units} for engine in engines
        }
        return {"title": case.title, "units": units, "medians": medians, "runs": engines}


def main_figure(case: Case) -> Any:
    """The figure that engines are compared by."""
    return next(figure for figure in case.figures if figure.is_main)


def _finite(value: float | None) -> float | None:
    return round(value, 4) if value is not None and isfinite(value) else None

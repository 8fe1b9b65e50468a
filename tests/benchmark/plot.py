"""The picture: one panel a case, one bar an engine, a dot each run."""

from collections.abc import Sequence
from math import isfinite
from pathlib import Path
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure as Picture

from tests.benchmark.cases.base import Case
from tests.benchmark.report import format_value
from tests.benchmark.results import Results, main_figure

_OURS, _OTHERS, _DOTS = "#1f6feb", "#b8c0cc", "#333333"


def draw(path: Path, results: Results, cases: Sequence[Case]) -> None:
    """Write the PNG. Cases for one engine only have no panel."""
    compared = [case for case in cases if len(results.runs.get(case.name, {})) > 1]
    if not compared:
        return
    rows = (len(compared) + 1) // 2
    picture = Picture(figsize=(13, 3.4 * rows), layout="constrained")
    FigureCanvasAgg(picture)
    for place, case in enumerate(compared, 1):
        _draw_case(picture.add_subplot(rows, 2, place), results, case)
    picture.savefig(path, dpi=120)


def _draw_case(axes: Any, results: Results, case: Case) -> None:
    main = main_figure(case)
    engines = list(results.runs[case.name])[::-1]
    for row, engine in enumerate(engines):
        values = [value for value in results.values(case.name, engine, main.name) if isfinite(value)]
        middle = results.median(case.name, engine, main.name)
        height = middle if middle is not None and isfinite(middle) else 0.0
        axes.barh(row, height, color=_OURS if engine.startswith("letuin") else _OTHERS)
        axes.plot(values, [row] * len(values), ".", color=_DOTS, markersize=4)
        axes.annotate(f" {format_value(middle)}", (max([height, *values]), row), va="center", fontsize=8)
    axes.set_yticks(range(len(engines)), engines, fontsize=8)
    direction = "more is better" if main.more_is_better else "less is better"
    axes.set_title(f"{case.title}: {main.name}, {main.unit} ({direction})", fontsize=9, loc="left")
    axes.margins(x=0.18)
    axes.spines[["top", "right"]].set_visible(False)

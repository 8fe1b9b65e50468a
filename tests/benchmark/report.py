"""The tables that a person reads."""

from collections.abc import Sequence
from math import isinf

from rich import box
from rich.console import Console
from rich.table import Table

from tests.benchmark.cases.base import Case
from tests.benchmark.results import Results, main_figure


def print_results(console: Console, results: Results, cases: Sequence[Case]) -> None:
    """One table a case: medians, every run of the main figure, and the ratio to the best other engine."""
    for case in cases:
        if case.name in results.runs:
            console.print(case_table(results, case))
    for what, why in results.failures.items():
        console.print(f"[bold red]{what}[/] failed:", end=" ")
        console.print(why, markup=False)
    low, high = min(results.busy), max(results.busy)
    console.print(f"CPU in use by others, looked at before each run: {low:.0f} to {high:.0f} %", style="dim")


def case_table(results: Results, case: Case) -> Table:
    """The table of one case."""
    main = main_figure(case)
    best = results.best_peer(case)
    table = Table(title=case.title, title_justify="left", box=box.SIMPLE_HEAD)
    table.add_column("engine")
    for figure in case.figures:
        table.add_column(f"{figure.name}\n{figure.unit}", justify="right")
    table.add_column("all runs", style="dim")
    if best is not None:
        table.add_column("to the best\nother", justify="right")
    for engine in results.runs[case.name]:
        cells = [format_value(results.median(case.name, engine, figure.name)) for figure in case.figures]
        runs = ", ".join(format_value(value) for value in results.values(case.name, engine, main.name))
        ratio = [_ratio(results.median(case.name, engine, main.name), best)] if best is not None else []
        style = "bold" if engine == "letuin" else None
        table.add_row(engine, *cells, runs, *ratio, style=style)
    return table


def format_value(value: float | None) -> str:
    """Three figures or so; an infinite time is a dash with a word."""
    if value is None:
        return ""
    if isinf(value):
        return "not in time"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def _ratio(value: float | None, best: float | None) -> str:
    return f"{value / best:.2f}x" if value is not None and best and not isinf(value) else ""

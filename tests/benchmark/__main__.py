"""`python -m tests.benchmark`: Letuin and its peers, side by side, on servers that it starts and ends itself."""

import importlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
import uvloop
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from common.garbage import calm_garbage_collection
from tests.benchmark.cases.base import Case
from tests.benchmark.cases.growth import Growth, GrowthToMillion
from tests.benchmark.catalog import CASES, ENGINES, load_engine
from tests.benchmark.peers.base import Peer
from tests.benchmark.report import print_results
from tests.benchmark.results import Results
from tests.benchmark.runner import Step, make_plan, run_plan
from tests.benchmark.servers import running_servers

_QUICK = 0.1
_SETTINGS = {
    "postgresql": "as `letuin up` starts it: synchronous_commit on, shared_buffers 128 MB",
    "valkey": "no append-only file and no snapshots, the same for every engine",
    "logs": "each worker as it logs by itself, to a file",
}

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


def _names(text: str | None, known: list[str], what: str) -> list[str]:
    given = [name.strip() for name in (text or "").split(",") if name.strip()]
    # `push` stands for `push-room`, `push-crowd` and so on.
    groups = {name: [each for each in known if each.startswith(f"{name}-")] for name in given if name not in known}
    names = [each for name in given for each in groups.get(name) or [name]] or known
    if unknown := [name for name in names if name not in known]:
        raise typer.BadParameter(f"no {what} is called {unknown[0]!r}; there are {', '.join(known)}")
    return names


@app.command()
def benchmark(
    cases: Annotated[str | None, typer.Option(metavar="A,B", help="Only these cases.")] = None,
    engines: Annotated[str | None, typer.Option(metavar="A,B", help="Only these engines.")] = None,
    runs: Annotated[int, typer.Option(min=1, max=20, help="How often; medians are shown.")] = 3,
    quick: Annotated[
        bool, typer.Option("--quick", help="A tenth of every count and one run: to see that it works.")
    ] = False,
    million: Annotated[bool, typer.Option("--million", help="Growth up to 1,000,000 rows; takes minutes.")] = False,
    output: Annotated[Path, typer.Option(help="Folder for the JSON file and the picture.")] = Path("data/benchmark"),
) -> None:
    """Measure Letuin beside other queues. arq, SAQ, taskiq, dramatiq and huey run in one go on the same servers."""
    console = Console()
    chosen = _names(cases, [case.name for case in CASES], "case")
    plan_cases = [_make_case(case, quick, million) for case in CASES if case.name in chosen]
    found = _load(console, _names(engines, list(ENGINES), "engine"))
    plan = make_plan(plan_cases, found, 1 if quick else runs)
    results = Results()
    try:
        uvloop.run(_run(console, plan, results))
    except KeyboardInterrupt:
        console.print("Interrupted; what was measured so far:", style="yellow")
    if results.busy:
        print_results(console, results, plan_cases)
        _save(console, output, results, plan_cases)
    raise typer.Exit(1 if results.failures else 0)


def _make_case(case: type[Case], quick: bool, million: bool) -> Case:
    chosen = GrowthToMillion if case is Growth and million else case
    return chosen(_QUICK if quick else 1.0)


def _load(console: Console, names: list[str]) -> dict[str, type[Peer]]:
    engines = {}
    for name in names:
        try:
            engines[name] = load_engine(name)
        except ImportError as error:
            console.print(f"{name} is left out: {error}. `uv sync --group bench` installs it.", style="yellow")
    return engines


async def _run(console: Console, plan: list[Step], results: Results) -> None:
    columns = (SpinnerColumn(), TextColumn("{task.description:<28}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), console=console) as progress:
        bar = progress.add_task("starting the servers", total=len(plan))

        def on_step(step: Step) -> None:
            progress.update(bar, description=step.label, completed=plan.index(step))

        async with running_servers() as servers:
            calm_garbage_collection()  # the producers of all engines, as Letuin's api and workers do by themselves
            await run_plan(servers, plan, results, on_step)
        progress.update(bar, description="done", completed=len(plan))


def _save(console: Console, folder: Path, results: Results, cases: list[Case]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{datetime.now(UTC):%Y%m%d-%H%M%S}.json"
    results.write_json(path, cases, _SETTINGS)
    console.print(f"Written: {path}")
    try:
        plot = importlib.import_module("tests.benchmark.plot")
    except ImportError as error:
        console.print(f"No picture: {error}. `uv sync --group bench` installs it.", style="yellow")
        return
    plot.draw(path.with_suffix(".png"), results, cases)
    console.print(f"Written: {path.with_suffix('.png')}")


if __name__ == "__main__":
    app(prog_name="letuin bench")

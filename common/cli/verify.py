"""`letuin verify`: does what the stores hold fit together?"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer
from rich.console import Console

from common.cli.cells import cell
from common.cli.exits import ExitCode
from common.cli.options import JsonOption
from common.cli.output import answer_console, print_json
from common.cli.surroundings import load_settings, read_surroundings
from common.config import CommonSettings
from common.container import CommonContainer
from common.verify.check import Stores, find_checks
from common.verify.verifier import Finding
from common.verify.verifier import verify as run_checks

app = typer.Typer(add_completion=False)
_SHOWN = 20


@app.command()
def verify(
    repair: Annotated[bool, typer.Option("--repair", help="Mend what can be mended.")] = False,
    settle: Annotated[float, typer.Option(min=0, max=300, help="Seconds that a problem must last to be one.")] = 2.0,
    as_json: JsonOption = False,
) -> None:
    """Check that the stores fit together, and mend what does not.

    Safe while everything runs. Looks at PostgreSQL, Redis and, where they are used, the others, by the environment,
    `.env` or the running `letuin up`. Exit code 1 when something is (still) wrong, 3 when a store cannot be looked
    at. (The code from a mail goes to `verify-email`.)
    """
    environ = read_surroundings()
    findings = asyncio.run(_verify(load_settings(environ), environ, repair, settle))
    if as_json:
        print_json({"is_sound": all(each.is_sound for each in findings), "checks": [_describe(f) for f in findings]})
    else:
        _print(answer_console(), findings, repair)
    if any(finding.error for finding in findings):
        raise typer.Exit(ExitCode.UNREACHABLE)
    raise typer.Exit(ExitCode.OK if all(finding.is_sound for finding in findings) else ExitCode.FAILED)


async def _verify(
    settings: CommonSettings, environ: Mapping[str, str], mends: bool, settle: float
) -> Sequence[Finding]:
    container = CommonContainer(settings=settings)
    try:
        stores = Stores(settings, container, environ)
        return await run_checks(find_checks(), stores, mends=mends, settle=settle)
    finally:
        await container.redis().aclose()
        await container.direct().close()
        await container.engine().dispose()


def _describe(finding: Finding) -> dict[str, Any]:
    left = {problem.key for problem in finding.left}
    return {
        "name": finding.check.name,
        "store": finding.check.store,
        "promise": finding.check.promise,
        "problems": [{"detail": each.detail, "is_mended": each.key not in left} for each in finding.problems],
        "error": finding.error,
    }


def _print(console: Console, findings: Sequence[Finding], repair: bool) -> None:
    width = max(len(finding.check.name) for finding in findings)
    for finding in findings:
        check = finding.check
        console.print(f"{_verdict(finding)}  {check.name:<{width}}  {check.store}: {check.promise}")
        for line in [finding.error] if finding.error else [problem.detail for problem in finding.problems[:_SHOWN]]:
            console.print(f"        {'':<{width}}{cell(line)}")
        if more := len(finding.problems[_SHOWN:]):
            console.print(f"        {'':<{width}}and {more} more")
    if not repair and any(finding.left for finding in findings):
        console.print("[dim]→ letuin verify --repair[/]")


def _verdict(finding: Finding) -> str:
    if finding.error:
        return "[red]away[/]  "
    if finding.left:
        return "[red]wrong[/] "
    return "[yellow]mended[/]" if finding.problems else "[green]sound[/] "

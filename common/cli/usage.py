"""`letuin usage`: calls of models, their tokens and what they cost."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer
from rich.table import Table

from common.cli.asking import ask
from common.cli.cells import cell, column_table
from common.cli.options import JsonOption, UrlOption
from common.cli.output import answer_console, error_console, print_json
from common.repository.usage import UsageGroup

app = typer.Typer(add_completion=False)
_SUMS = ("calls", "cached_calls", "input_tokens", "output_tokens", "cost")


@app.command()
def usage(
    by: Annotated[list[UsageGroup] | None, typer.Option("--by", help="Repeat it for finer sums. Default: day.")] = None,
    since: Annotated[str | None, typer.Option(metavar="DAY", help="First day, as 2030-01-31 (UTC).")] = None,
    until: Annotated[str | None, typer.Option(metavar="DAY", help="Last day. Default: today.")] = None,
    user: Annotated[str | None, typer.Option(metavar="ID", help="Only this user's; for operators.")] = None,
    as_json: JsonOption = False,
    url: UrlOption = None,
) -> None:
    """Sum up what calls of models came to.

    Your own, for operators all of the tenant's. Costs are in US dollars.
    """
    groups = [str(group) for group in by or [UsageGroup.DAY]]
    asked = {"since": since, "until": until, "owner_id": user}
    params = {"group_by": groups, **{name: value for name, value in asked.items() if value is not None}}
    report = ask(url, lambda client: client.get("/usage", params=params))
    if as_json:
        print_json(report)
    elif report["items"]:
        answer_console().print(_table(report, groups))
    else:
        error_console().print(f"No calls of models from {report['since']} to {report['until']}.")


def _table(report: Mapping[str, Any], groups: list[str]) -> Table:
    table = column_table(*groups, "calls", "cached", "input", "output", "cost")
    for row in report["items"]:
        table.add_row(*(cell(row[group]) for group in groups), *_sums(row))
    table.add_row("total", *[""] * (len(groups) - 1), *_sums(report["total"]), style="bold")
    return table


def _sums(row: Mapping[str, Any]) -> list[str]:
    *counts, cost = (row[name] for name in _SUMS)
    return [*map(str, counts), f"{float(cost):.6f}"]

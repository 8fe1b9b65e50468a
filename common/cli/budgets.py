"""`letuin budgets`: how much may be spent on models."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer
from rich.table import Table

from common.cli.asking import ask
from common.cli.cells import cell, column_table
from common.cli.options import JsonOption, UrlOption
from common.cli.output import answer_console, error_console, print_json
from common.database.model.llm import BudgetPeriod

app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="Bound what is spent on models (for operators). US dollars, UTC."
)
BudgetId = Annotated[str, typer.Argument(metavar="ID", help="The budget's id.")]
CostOption = Annotated[str | None, typer.Option("--cost", metavar="DOLLARS", help="Most money.")]
TokensOption = Annotated[int | None, typer.Option("--tokens", min=0, help="Most tokens.")]
TenantOption = Annotated[
    str | None, typer.Option("--tenant", metavar="ID", help="Another tenant; for operators of the installation.")
]


@app.command("list")
def list_budgets(tenant: TenantOption = None, as_json: JsonOption = False, url: UrlOption = None) -> None:
    """List the budgets of your tenant and what is used of them."""
    page = ask(url, lambda client: client.get("/budgets", params=_of(tenant)))
    if as_json:
        print_json(page)
    elif page["items"]:
        answer_console().print(_table(page["items"]))
    else:
        error_console().print("No budgets.")


@app.command("set")
def set_budget(
    period: Annotated[BudgetPeriod, typer.Argument(help="How long it lasts before it starts anew.")],
    cost: CostOption = None,
    tokens: TokensOption = None,
    model: Annotated[str | None, typer.Option(help="Only calls of this model count.")] = None,
    tenant: TenantOption = None,
    as_json: JsonOption = False,
    url: UrlOption = None,
) -> None:
    """Make a budget, for all models or for one."""
    given = {"max_cost": cost, "max_tokens": tokens, "model": model, "tenant_id": tenant}
    body = {"period": period.value, **{name: value for name, value in given.items() if value is not None}}
    _show(ask(url, lambda client: client.post("/budgets", body=body)), as_json)


@app.command()
def change(
    budget: BudgetId,
    cost: CostOption = None,
    tokens: TokensOption = None,
    tenant: TenantOption = None,
    as_json: JsonOption = False,
    url: UrlOption = None,
) -> None:
    """Set other limits; jobs that wait for the budget look again at once."""
    given = {"max_cost": cost, "max_tokens": tokens}
    body = {name: value for name, value in given.items() if value is not None}
    _show(ask(url, lambda client: client.patch("/budgets", budget, body=body, params=_of(tenant))), as_json)


@app.command()
def delete(budget: BudgetId, tenant: TenantOption = None, as_json: JsonOption = False, url: UrlOption = None) -> None:
    """Lift a budget."""
    ask(url, lambda client: client.delete("/budgets", budget, params=_of(tenant)))
    if as_json:
        print_json({"id": budget, "is_removed": True})
        return
    error_console().print(f"Budget {cell(budget)} is lifted.")


def _of(tenant: str | None) -> dict[str, str] | None:
    return {"tenant_id": tenant} if tenant else None


def _show(budget: Mapping[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(budget)
    else:
        answer_console().print(budget["id"])


def _table(budgets: list[Mapping[str, Any]]) -> Table:
    table = column_table("id", "period", "model", "cost", "of", "reserved", "tokens", "of", "until")
    for each in budgets:
        money = [f"{float(each[name]):.4f}" for name in ("spent_cost", "reserved_cost")]
        bounds = ["-" if each[name] is None else str(each[name]) for name in ("max_cost", "max_tokens")]
        model = cell(each["model"] or "all")
        used = (money[0], bounds[0], money[1], str(each["spent_tokens"]), bounds[1])
        table.add_row(cell(each["id"]), each["period"], model, *used, each["window_end"][:10])
    return table

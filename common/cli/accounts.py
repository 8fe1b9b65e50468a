"""The part of `letuin users` that goes over the api: seeing people and services, and what they may do."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any
from uuid import UUID

import typer
from rich.table import Table

from common.cli.api_client import ApiClient
from common.cli.asking import ask
from common.cli.cells import age, cell, column_table
from common.cli.exits import CommandError
from common.cli.job_tables import job_details
from common.cli.options import JsonOption, UrlOption
from common.cli.output import answer_console, error_console, print_json
from common.database.model import Role

app = typer.Typer(add_completion=False)
Who = Annotated[str, typer.Argument(metavar="WHO", help="The user's id or e-mail address.")]


@app.command("list")
def list_users(
    role: Annotated[Role | None, typer.Option(help="Only users with this role.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many at most.")] = 100,
    as_json: JsonOption = False,
    url: UrlOption = None,
) -> None:
    """List the people and services of your tenant, the newest first (for operators and admins)."""
    found = ask(url, lambda client: _list(client, limit, role))
    if as_json:
        print_json({"items": found})
    else:
        answer_console().print(_table(found))


@app.command()
def show(who: Who, as_json: JsonOption = False, url: UrlOption = None) -> None:
    """Show one user."""
    user = ask(url, lambda client: _find(client, who))
    if as_json:
        print_json(user)
    else:
        answer_console().print(job_details(user))


@app.command("set-role")
def set_role(who: Who, role: Role, as_json: JsonOption = False, url: UrlOption = None) -> None:
    """Change what a user may do; it counts at once (for admins)."""
    _change(url, who, {"role": role.value}, as_json)


@app.command()
def disable(who: Who, as_json: JsonOption = False, url: UrlOption = None) -> None:
    """Shut a user out at once, tokens and keys included, and stop their jobs (for admins)."""
    _change(url, who, {"is_active": False}, as_json)


@app.command()
def enable(who: Who, as_json: JsonOption = False, url: UrlOption = None) -> None:
    """Let a disabled user in again (for admins)."""
    _change(url, who, {"is_active": True}, as_json)


def _change(url: str | None, who: str, change: Mapping[str, Any], as_json: bool) -> None:
    async def change_user(client: ApiClient) -> dict[str, Any]:
        return await client.patch("/users", (await _find(client, who))["id"], body=change)

    user = ask(url, change_user)
    if as_json:
        print_json(user)
        return
    state = user["role"] if user["is_active"] else "disabled"
    error_console().print(f"{user['email'] or user['name'] or user['id']} is {state}.", markup=False)


async def _find(client: ApiClient, who: str) -> dict[str, Any]:
    """The user with this id or address. Raises CommandError."""
    try:
        return await client.get("/users", str(UUID(who)))
    except ValueError:
        pass
    wanted = who.lower()
    for user in await _list(client, 10_000, None):
        if user["email"] == wanted:
            return user
    raise CommandError(f"No user of your tenant has the address {who}.")


async def _list(client: ApiClient, limit: int, role: Role | None) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    asked: dict[str, Any] = {"limit": min(limit, 100), **({"role": role.value} if role else {})}
    while len(found) < limit:
        page = await client.get("/users", params=asked)
        found += page["items"]
        if not page["next_cursor"]:
            break
        asked["cursor"] = page["next_cursor"]
    return found[:limit]


def _table(users: Iterable[Mapping[str, Any]]) -> Table:
    table = column_table("id", "role", "who", "name", "since")
    for user in users:
        role = user["role"] if user["is_active"] else "[red]disabled[/]"
        who = "service" if user["is_service"] else cell(user["email"])
        table.add_row(user["id"], role, who, cell(user["name"] or ""), age(user["created_at"]))
    return table

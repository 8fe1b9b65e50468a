"""`letuin keys`: API keys, which programs sign in with."""

from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from common.cli.asking import ask
from common.cli.duration import parse_duration
from common.cli.options import JsonOption, UrlOption
from common.cli.output import answer_console, error_console, print_json, printable
from common.scopes import Scope

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Make, list and revoke API keys.")
_JOBS = (Scope.JOBS_READ, Scope.JOBS_WRITE)
_COLUMNS = ("id", "prefix", "name", "scopes", "created_at", "expires_at", "last_used_at", "revoked_at")


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="What you call it.")],
    scopes: Annotated[
        list[Scope] | None, typer.Option("--scope", "-s", help="What it may do. Default: jobs:read and jobs:write.")
    ] = None,
    expires_in: Annotated[
        float | None, typer.Option(parser=parse_duration, metavar="DURATION", help="How long it is valid.")
    ] = None,
    user: Annotated[str | None, typer.Option(metavar="ID", help="A service account that gets it; for admins.")] = None,
    as_json: JsonOption = False,
    url: UrlOption = None,
) -> None:
    """Make a key and print it. Nobody can read it again: keep it now, for example in LETUIN_TOKEN."""
    wanted = {"name": name, "scopes": [str(scope) for scope in scopes or _JOBS]}
    given = {"expires_in": expires_in, "user_id": user}
    body = wanted | {field: value for field, value in given.items() if value is not None}
    made = ask(url, lambda client: client.post("/api-keys", body=body))
    if as_json:
        print_json(made)
        return
    error_console().print(f"Key {made['id']} may {', '.join(made['scopes'])}.", markup=False)
    answer_console().print(made["key"], markup=False)


@app.command("list")
def list_keys(
    user: Annotated[str | None, typer.Option(metavar="ID", help="Of this user of your tenant; for admins.")] = None,
    as_json: JsonOption = False,
    url: UrlOption = None,
) -> None:
    """List keys, the newest first, without their secrets."""
    page = ask(url, lambda client: client.get("/api-keys", params={"user_id": user} if user else None))
    if as_json:
        print_json(page)
    elif page["items"]:
        answer_console().print(_table(page["items"]))
    else:
        error_console().print("No keys.")


@app.command()
def revoke(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="The key's id.")],
    as_json: JsonOption = False,
    url: UrlOption = None,
) -> None:
    """End a key at once, for good."""
    ask(url, lambda client: client.delete("/api-keys", key_id))
    if as_json:
        print_json({"id": key_id, "is_revoked": True})
        return
    error_console().print("Revoked.")


def _table(keys: list[dict[str, Any]]) -> Table:
    table = Table(*_COLUMNS, box=None)
    for key in keys:
        cells = [", ".join(value) if isinstance(value := key[name], list) else value for name in _COLUMNS]
        table.add_row(*(escape(printable(str(cell or ""))) for cell in cells))
    return table

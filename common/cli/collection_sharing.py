"""`letuin collections update`, `share` and `unshare`: what a collection is called, and who may read it."""

from typing import Annotated, Any

import typer

from common.cli.api_client import ApiClient
from common.cli.asking import ask
from common.cli.collection_lookup import find_collection
from common.cli.exits import CommandError
from common.cli.options import JsonOption, UrlOption
from common.cli.output import error_console, print_json

Name = Annotated[str, typer.Argument(metavar="COLLECTION", help="Its name or id.")]


def update(
    name: Name,
    new_name: Annotated[str | None, typer.Option("--name", help="What you call it from now on.")] = None,
    description: Annotated[str | None, typer.Option(help="What is in it; an empty text removes it.")] = None,
    as_json: JsonOption = False,
    url: UrlOption = None,
) -> None:
    """Give a collection another name or description."""
    changes = {} if new_name is None else {"name": new_name}
    given = {} if description is None else {"description": description or None}
    if not changes and not given:
        raise CommandError("Say what to change: --name or --description.")
    _change(name, {**changes, **given}, "Changed {}.", as_json=as_json, url=url)


def share(name: Name, as_json: JsonOption = False, url: UrlOption = None) -> None:
    """Let everybody in your tenant read and search a collection; only you change it."""
    said = "Everybody in your tenant may read and search {}."
    _change(name, {"visibility": "tenant"}, said, as_json=as_json, url=url)


def unshare(name: Name, as_json: JsonOption = False, url: UrlOption = None) -> None:
    """Keep a collection to its owner again; everybody else loses it at once."""
    _change(name, {"visibility": "private"}, "{} is its owner's alone again.", as_json=as_json, url=url)


def sharing_of(collection: dict[str, Any]) -> str:
    """Who may read it, in a word or two."""
    if collection["visibility"] == "private":
        return "private"
    return "shared" if collection["is_owner"] else "of others"


def _change(name: str, changes: dict[str, Any], said: str, *, as_json: bool, url: str | None) -> None:
    async def run(client: ApiClient) -> dict[str, Any]:
        return await client.patch("/collections", (await find_collection(client, name))["id"], body=changes)

    changed = ask(url, run)
    if as_json:
        print_json(changed)
    else:
        error_console().print(said.format(changed["name"]), markup=False)

"""`letuin collections`: documents to search in, from the command line."""

import asyncio
import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from common.cli.api_client import ApiClient
from common.cli.asking import ask
from common.cli.collection_lookup import find_collection
from common.cli.collection_sharing import Name, share, sharing_of, unshare, update
from common.cli.exits import CommandError, ExitCode
from common.cli.options import JsonOption, UrlOption
from common.cli.output import answer_console, error_console, print_json, printable
from common.cli.target import find_target
from common.cli.upload_view import showing_upload
from common.cli.watching import Stay, stay_with

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Keep documents in collections, and search them.")
Filter = Annotated[str | None, typer.Option("--filter", metavar="JSON", help='Narrow the search: {"year": 2026}.')]
LimitOption = Annotated[int, typer.Option(min=1, max=50, help="Most passages.")]
_SHOWN = 300


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="What you call it.")],
    description: Annotated[str | None, typer.Option(help="What is in it.")] = None,
    shared: Annotated[bool, typer.Option("--shared", help="Let your whole tenant read and search it.")] = False,
    as_json: JsonOption = False,
    url: UrlOption = None,
) -> None:
    """Add a collection; prints its id."""
    body = {"name": name} | ({"description": description} if description else {})
    body |= {"visibility": "tenant"} if shared else {}
    made = ask(url, lambda client: client.post("/collections", body=body))
    if as_json:
        print_json(made)
    else:
        answer_console().print(made["id"])


@app.command("list")
def list_collections(as_json: JsonOption = False, url: UrlOption = None) -> None:
    """List your collections and those shared with your tenant, the newest first."""
    page = ask(url, lambda client: client.get("/collections"))
    if as_json:
        print_json(page)
    elif page["items"]:
        rows = [{**each, "sharing": sharing_of(each)} for each in page["items"]]
        _print_table(rows, ("id", "name", "sharing", "document_count", "embedding_model", "created_at"))
    else:
        error_console().print("No collections yet.")


app.command()(update)
app.command()(share)
app.command()(unshare)


@app.command()
def delete(
    name: Name,
    document: Annotated[str | None, typer.Option(help="Only this document, by name or id.")] = None,
    as_json: JsonOption = False,
    url: UrlOption = None,
) -> None:
    """Remove a collection with its documents, or one document of it."""

    async def run(client: ApiClient) -> str:
        found = await find_collection(client, name)
        path = ["/collections", found["id"]]
        if document is not None:
            path += ["documents", (await _find_document(client, found["id"], document))["id"]]
        await client.delete(*path)
        return document or name

    removed = ask(url, run)
    if as_json:
        print_json({"name": removed, "is_removed": True})
    else:
        error_console().print(f"Removed {removed}.", markup=False)


@app.command()
def upload(
    name: Name,
    files: Annotated[list[Path], typer.Argument(exists=True, dir_okay=False, readable=True, help="What to upload.")],
    attributes: Annotated[
        str | None, typer.Option(metavar="JSON", help='What searches can filter by: {"year": 2026}.')
    ] = None,
    wait: Annotated[bool, typer.Option(help="Stay until the documents can be found.")] = True,
    as_json: JsonOption = False,
    url: UrlOption = None,
) -> None:
    """Add documents, or replace those of the same name, and stay until searches find them."""

    async def run() -> ExitCode:
        code = ExitCode.OK
        async with ApiClient(find_target(url)) as client:
            collection = await find_collection(client, name)
            for path in files:
                code = max(code, await _upload(client, collection["id"], path, attributes, wait=wait, as_json=as_json))
        return code

    raise typer.Exit(asyncio.run(run()))


@app.command()
def documents(name: Name, as_json: JsonOption = False, url: UrlOption = None) -> None:
    """List the documents of a collection, the newest first."""

    async def run(client: ApiClient) -> dict[str, Any]:
        return await client.get("/collections", (await find_collection(client, name))["id"], "documents")

    page = ask(url, run)
    if as_json:
        print_json(page)
    elif page["items"]:
        rows = [{**each, "error": (each["error"] or {}).get("message")} for each in page["items"]]
        _print_table(rows, ("id", "name", "status", "version", "size", "passages", "error"))
    else:
        error_console().print("No documents yet.")


@app.command()
def search(
    name: Name,
    query: Annotated[str, typer.Argument(help="What to look for.")],
    limit: LimitOption = 5,
    where: Filter = None,
    as_json: JsonOption = False,
    url: UrlOption = None,
) -> None:
    """Show the passages of a collection that are most alike to a text."""
    body = {"query": query, "limit": limit} | ({"filter": read_filter(where)} if where else {})

    async def run(client: ApiClient) -> dict[str, Any]:
        found = await find_collection(client, name)
        answer = await client.post("/collections", found["id"], "search", body=body)
        if "passages" in answer:
            return answer
        job = await client.job(answer["id"], wait=50)
        if job["status"] != "succeeded":
            raise CommandError(f"The search is {job['status']}; its job is {job['id']}.", ExitCode.FAILED)
        return dict(job["result"])

    found = ask(url, run)
    if as_json:
        print_json(found)
        return
    if not found["passages"]:
        error_console().print("Nothing was found.")
    for each in found["passages"]:
        place = each["document_name"] + (f", page {each['page']}" if each["page"] else "")
        text = " ".join(each["text"].split())
        answer_console().print(f"{each['score']:.2f}  {place}", style="bold", markup=False)
        answer_console().print(printable(text[:_SHOWN] + (" …" if len(text) > _SHOWN else "")), markup=False)


def read_filter(text: str) -> dict[str, Any]:
    """A filter from the command line. Raises `CommandError` for what is no JSON object."""
    try:
        value = json.loads(text)
    except ValueError as error:
        raise CommandError(f"--filter is no JSON: {error}.") from error
    if not isinstance(value, dict):
        raise CommandError("--filter is a JSON object.")
    return value


async def _upload(
    client: ApiClient, collection_id: str, path: Path, attributes: str | None, *, wait: bool, as_json: bool
) -> ExitCode:
    fields = {} if attributes is None else {"attributes": attributes}
    with showing_upload(path) as file:
        accepted = await client.upload(
            "/collections", collection_id, "documents", file=(path.name, file), fields=fields
        )
    job = accepted["job"]
    if as_json and not wait:
        print_json(accepted)
    elif not wait or job is None:
        answer_console().print(accepted["document"]["id"])
    else:
        error_console().print(f"{path.name}:", style="bold", markup=False)
        return await stay_with(client, job["id"], Stay(follow=True, as_json=as_json))
    return ExitCode.OK


async def _find_document(client: ApiClient, collection_id: str, name: str) -> dict[str, Any]:
    page = await client.get("/collections", collection_id, "documents", params={"name": name})
    if page["items"]:
        return dict(page["items"][0])
    return await client.get("/collections", collection_id, "documents", name)


def _print_table(rows: list[dict[str, Any]], names: tuple[str, ...]) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in names:
        table.add_column(name, no_wrap=name.endswith("id"), overflow="fold")
    for row in rows:
        table.add_row(*("" if row[name] is None else escape(printable(str(row[name]))) for name in names))
    answer_console().print(table)

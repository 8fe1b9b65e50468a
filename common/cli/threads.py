"""`letuin threads`: conversations with agents, to look at and to remove."""

from typing import Annotated, Any

import typer

from common.cli.api_client import ApiClient
from common.cli.asking import ask
from common.cli.cells import age, cell, column_table
from common.cli.collection_lookup import find_collection
from common.cli.options import JsonOption, UrlOption
from common.cli.output import answer_console, error_console, print_json, printable

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Make threads, look at them, delete them.")
ThreadId = Annotated[str, typer.Argument(metavar="ID", help="The thread's id.")]
CollectionOption = Annotated[
    str | None, typer.Option(metavar="NAME", help="The collection that a new thread searches, by name or id.")
]
_FEW = 20


@app.command()
def create(
    title: Annotated[str | None, typer.Option(help="What you call it.")] = None,
    flow: Annotated[str | None, typer.Option(help="Which agent answers. Default: example.")] = None,
    collection: CollectionOption = None,
    as_json: JsonOption = False,
    url: UrlOption = None,
) -> None:
    """Make a thread; prints its id."""
    given = {name: value for name, value in {"title": title, "flow": flow}.items() if value is not None}
    thread = ask(url, lambda client: make_thread(client, given, collection))
    if as_json:
        print_json(thread)
    else:
        answer_console().print(thread["id"])


@app.command("list")
def list_threads(
    limit: Annotated[int, typer.Option(min=1, max=200, help="How many at most.")] = _FEW,
    as_json: JsonOption = False,
    url: UrlOption = None,
) -> None:
    """List your threads, the newest first."""
    page = ask(url, lambda client: client.get("/threads", params={"limit": limit}))
    if as_json:
        print_json(page)
    elif page["items"]:
        table = column_table("ID", "STATUS", "MESSAGES", "AGE", "TITLE")
        for each in page["items"]:
            facts = (each["id"], each["status"], each["message_count"], age(each["updated_at"]), each["title"] or "")
            table.add_row(*map(cell, facts))
        answer_console().print(table)
    else:
        error_console().print("No threads.")


@app.command()
def show(
    thread_id: ThreadId,
    limit: Annotated[int, typer.Option(min=1, max=200, help="How many messages at most.")] = _FEW,
    as_json: JsonOption = False,
    url: UrlOption = None,
) -> None:
    """Show a thread and what was said last, the oldest first."""
    thread = ask(url, lambda client: client.get("/threads", thread_id))
    said = ask(url, lambda client: client.get("/threads", thread_id, "messages", params={"limit": limit}))["items"]
    if as_json:
        print_json({**thread, "messages": said[::-1]})
        return
    console = answer_console()
    console.print(f"{thread['title'] or 'Thread'} ({thread['status']}, {thread['flow']})", style="bold", markup=False)
    for message in reversed(said):
        console.print(f"\n{message['role']}:", style="cyan", markup=False)
        console.print(printable(message["content"]), markup=False)
        for line in source_lines(message["citations"]):
            console.print(line, style="dim", markup=False)
    if (waits := thread["interrupt"]) is not None:
        question = waits["question"] or f"go on with {waits['node']}?"
        console.print(f"\nIt waits for you: {printable(question)}", markup=False)


@app.command()
def delete(thread_id: ThreadId, as_json: JsonOption = False, url: UrlOption = None) -> None:
    """Delete a thread and all that it remembers; its job that runs is stopped."""
    ask(url, lambda client: client.delete("/threads", thread_id))
    if as_json:
        print_json({"id": thread_id, "deleted": True})
    else:
        error_console().print("Deleted.")


async def make_thread(client: ApiClient, given: dict[str, Any], collection: str | None) -> dict[str, Any]:
    """A new thread. Raises `CommandError` when there is no such collection."""
    found = {"collection_id": (await find_collection(client, collection))["id"]} if collection else {}
    return dict(await client.post("/threads", body=given | found))


def source_lines(citations: list[dict[str, Any]] | None) -> list[str]:
    """A line for each passage that an answer rests on."""
    return [f"[{each['number']}] {printable(each['document_name'])}{_page(each)}" for each in citations or ()]


def _page(citation: dict[str, Any]) -> str:
    return f", page {citation['page']}" if citation.get("page") else ""

"""`letuin ask`: a question to a collection, answered from its documents."""

import asyncio
from contextlib import aclosing
from typing import Annotated, Any

import typer

from common.cli.api_client import ApiClient, Job
from common.cli.collection_lookup import find_collection
from common.cli.collections import read_filter
from common.cli.event_feed import follow
from common.cli.exits import ExitCode
from common.cli.follow_view import FollowView
from common.cli.options import JsonOption, UrlOption
from common.cli.output import answer_console, error_console, print_json, printable
from common.cli.target import find_target
from common.queue.status import JobStatus

app = typer.Typer(add_completion=False)


@app.command()
def ask_collection(
    collection: Annotated[str, typer.Argument(help="Name or id of the collection.")],
    question: Annotated[str, typer.Argument(help="What you want to know.")],
    limit: Annotated[int, typer.Option(min=1, max=50, help="Most passages to answer from.")] = 5,
    where: Annotated[str | None, typer.Option("--filter", metavar="JSON", help="Answer only from some.")] = None,
    model: Annotated[str | None, typer.Option(help="Which model answers.")] = None,
    as_json: JsonOption = False,
    url: UrlOption = None,
) -> None:
    """Answer a question from the documents of a collection.

    The passages that it rests on are named. Ctrl-C stops the answer.
    """
    options = {"limit": limit, "filter": read_filter(where) if where else None, "model": model}
    payload = {"question": question, **{name: value for name, value in options.items() if value is not None}}

    async def run() -> ExitCode:
        async with ApiClient(find_target(url)) as client:
            found = await find_collection(client, collection)
            wanted = {"kind": "rag.answer", "payload": {"collection_id": found["id"], **payload}}
            job = await client.submit(wanted)
            try:
                job = await _follow(client, job, is_shown=not as_json)
            except asyncio.CancelledError:
                # Nobody is left who would read the answer.
                await client.cancel(job["id"])
                error_console().print("\nStopped.", markup=False)
                raise
        is_answered = job["status"] == JobStatus.SUCCEEDED
        if as_json:
            print_json(job)
        elif is_answered:
            _print_sources(job["result"])
        return ExitCode.OK if is_answered else ExitCode.FAILED

    raise typer.Exit(asyncio.run(run()))


async def _follow(client: ApiClient, job: Job, *, is_shown: bool) -> Job:
    """The ended job, its answer shown while it came."""
    with FollowView() as view:
        async with aclosing(follow(client, job["id"])) as events:
            async for event in events:
                if is_shown:
                    view.show(event)
        ended = await client.job(job["id"])
        if is_shown:
            result = ended.get("result")
            view.finish({**ended, "result": result and result["answer"]})
    return ended


def _print_sources(result: dict[str, Any]) -> None:
    """Each passage by its number; those that the answer names are marked."""
    console = answer_console()
    for source in result["sources"]:
        place = source["document_name"] + (f", page {source['page']}" if source["page"] else "")
        mark = "*" if source["number"] in result["citations"] else " "
        console.print(f"{mark}[{source['number']}] {printable(place)}  {source['score']:.2f}", markup=False)

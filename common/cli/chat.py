"""`letuin chat`: talk with an agent; what it says appears while it is written."""

import asyncio
import json
import sys
from contextlib import aclosing
from typing import Annotated, Any

import typer

from common.cli.api_client import ApiClient, Job
from common.cli.event_feed import follow
from common.cli.exits import CommandError, ExitCode
from common.cli.options import JsonOption, UrlOption
from common.cli.output import answer_console, error_console, print_json, printable
from common.cli.surroundings import command_name
from common.cli.target import Target, find_target
from common.cli.threads import CollectionOption, make_thread, source_lines
from common.event_type import EventType
from common.queue.status import JobStatus

app = typer.Typer(add_completion=False)
_YES = ("y", "yes")
_HINTS = {"approval": "[y/n]", "value": "[JSON or text]"}


@app.command()
def chat(
    thread_id: Annotated[
        str | None, typer.Argument(metavar="[THREAD]", help="A thread to go on with. Default: a new one.")
    ] = None,
    message: Annotated[
        str | None, typer.Option("--message", "-m", help="Say only this, and leave with the answer.")
    ] = None,
    collection: CollectionOption = None,
    flow: Annotated[str | None, typer.Option(help="Which agent a new thread talks with.")] = None,
    as_json: JsonOption = False,
    url: UrlOption = None,
) -> None:
    """Talk with an agent; it remembers the thread.

    Without --message it reads a message a line: from you until Ctrl-D, or from a pipe.

    Ctrl-C stops the answer that is being written, not the thread. With --json each answer is its job.
    """
    talk = Talk(find_target(url), as_json=as_json)
    talk.begin(thread_id, collection=collection, flow=flow)
    raise typer.Exit(talk.turn(message) if message is not None else talk.go_on())


class Talk:
    """One thread on one terminal."""

    def __init__(self, target: Target, *, as_json: bool) -> None:
        self._target = target
        self._id = ""
        self._interrupt: dict[str, Any] | None = None
        self._as_json = as_json
        self._out = answer_console()
        self._err = error_console()

    def begin(self, thread_id: str | None, *, collection: str | None, flow: str | None) -> None:
        """Open the thread, or make one. Raises what `ApiClient` raises."""
        if thread_id is not None and (collection or flow):
            raise CommandError("--collection and --flow are for a new thread.")

        async def open_thread() -> dict[str, Any]:
            async with ApiClient(self._target) as client:
                if thread_id is not None:
                    return await client.get("/threads", thread_id)
                return await make_thread(client, {"flow": flow} if flow else {}, collection)

        thread = asyncio.run(open_thread())
        self._id, self._interrupt = thread["id"], thread["interrupt"]
        if thread_id is None:
            self._err.print(f"Go on later with: {command_name()} chat {self._id}", style="dim", markup=False)
        elif not self._as_json:
            self._ask()

    def go_on(self) -> ExitCode:
        """Message by message, until there is none. The exit code of the last."""
        code = ExitCode.OK
        while (line := self._read()) is not None:
            if not line.strip():
                continue
            try:
                code = self.turn(line)
            except KeyboardInterrupt:
                if not sys.stdin.isatty():
                    raise
                code = ExitCode.INTERRUPTED
        return code

    def turn(self, text: str) -> ExitCode:
        """One message and its answer. A loop of its own: while a line is read, Ctrl-C finds nothing to wait for."""

        async def run() -> ExitCode:
            async with ApiClient(self._target) as client:
                return await self.say(client, text)

        return asyncio.run(run())

    async def say(self, client: ApiClient, text: str) -> ExitCode:
        """One turn: 0 when it succeeded. Cancelled, it stops the job."""
        job = await self._post(client, text)
        try:
            job = await self._listen(client, job)
        except asyncio.CancelledError:
            await client.cancel(job["id"])
            self._err.print("\nStopped. The thread keeps what was said before.", markup=False)
            raise
        self._show(job)
        return ExitCode.OK if job["status"] == JobStatus.SUCCEEDED else ExitCode.FAILED

    async def _post(self, client: ApiClient, text: str) -> Job:
        waiting, self._interrupt = self._interrupt, None
        match waiting["expects"] if waiting else None:
            case "text":
                return await client.post("/threads", self._id, "resume", body={"answer": text})
            case "value":
                return await client.post("/threads", self._id, "resume", body={"value": _json_or_text(text)})
            case "approval":
                answer = {"approved": text.strip().lower() in _YES, "note": text}
                return await client.post("/threads", self._id, "resume", body=answer)
            case _:
                return await client.post("/threads", self._id, "messages", body={"content": text})

    async def _listen(self, client: ApiClient, job: Job) -> Job:
        """Write what streams; the job once it has ended. What was missed is written at the end."""
        heard = ""
        async with aclosing(follow(client, job["id"])) as events:
            async for event in events:
                if event["type"] == EventType.LLM_DELTA and not self._as_json:
                    piece = printable(str(event["data"]["text"]))
                    heard += piece
                    self._write(piece)
                elif event["type"] == EventType.LLM_RESET and heard:
                    heard = ""
                    self._write("\n")
        job = await client.job(job["id"])
        answer = printable(str((job["result"] or {}).get("answer") or ""))
        if not self._as_json and answer and heard.strip() != answer.strip():
            self._write(("\n" if heard else "") + answer)
            heard = answer
        if heard and not heard.endswith("\n"):
            self._write("\n")
        return job

    def _show(self, job: Job) -> None:
        result = job["result"] or {}
        self._interrupt = result.get("interrupt")
        if self._as_json:
            print_json(job)
            return
        for line in source_lines(result.get("citations")):
            self._out.print(line, style="dim", markup=False)
        if job["status"] != JobStatus.SUCCEEDED:
            reason = printable(str((job["error"] or {}).get("message", job["status"])))
            self._err.print(f"No answer: {reason}", style="red", markup=False)
        elif self._interrupt and self._interrupt["expects"] != "text":
            # A text that is asked for was the answer, and is written already.
            self._ask()

    def _ask(self) -> None:
        """What the thread waits for, if it does."""
        if self._interrupt is None or self._interrupt["expects"] == "nothing":
            return
        question = self._interrupt["question"] or json.dumps(self._interrupt["details"], ensure_ascii=False)
        hint = _HINTS.get(self._interrupt["expects"], "")
        self._err.print(f"{printable(question)} {hint}".rstrip(), style="yellow", markup=False)

    def _read(self) -> str | None:
        if sys.stdin.isatty() and self._err.is_terminal:
            self._err.print("> ", end="", style="bold cyan")
        line = sys.stdin.readline()
        return line.rstrip("\n") if line else None

    def _write(self, text: str) -> None:
        self._out.file.write(text)
        self._out.file.flush()


def _json_or_text(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text

"""`letuin backup`: everything that the embedded servers hold, in one file."""

import asyncio
from collections.abc import Collection, Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated
from urllib.parse import urlsplit

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn

from common.cli.exits import CommandError
from common.cli.migrate import newest_revision
from common.cli.options import JsonOption
from common.cli.output import error_console, print_json
from common.cli.surroundings import data_dir_of, read_environment
from common.embedded.archive import Manifest, Source, list_files, write_archive
from common.embedded.dump import dump_rows, postgres_alone, url_of
from common.embedded.server import LOOPBACK
from common.embedded.snapshot import take_snapshot
from common.embedded.state import DataFolderLock, RunState, read_run_state

app = typer.Typer(add_completion=False)
DUMP = "postgres.dump"
_DRAFT = ".backup-"
# PostgreSQL goes as a dump. Redis is rebuilt from the rows, as after any loss of it; the others belong to a run.
LEFT_OUT = frozenset({"postgres", "redis", "up.lock", "run.json", "ports.json", "logs", "README.md"})
_OWN = {"MONGODB_URL": "MongoDB", "CHROMA_URL": "Chroma"}


@app.command()
def backup(
    file: Annotated[Path, typer.Argument(help="The file to write; it must not exist.")],
    data_dir: Annotated[Path | None, typer.Option(help="Data folder. Default: DATA_DIR, or data.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Write everything that `letuin up` keeps into one file.

    Beside a running `letuin up` the rows are of one moment, and all else as new or a little newer. The file holds
    secrets: keys, password hashes, payloads. Servers of your own are not in it;
    docs/operations.md says how to back those up.
    """
    environ = read_environment()
    if environ.get("DATABASE_URL"):
        raise CommandError("DATABASE_URL names a server of your own: back it up with pg_dump (docs/operations.md).")
    folder = (data_dir or data_dir_of(environ)).absolute()
    if not (folder / "postgres" / "cluster").is_dir():
        raise CommandError(f"The data folder {folder} holds no database: there is nothing to back up.")
    if file.exists():
        raise CommandError(f"{file} exists already; it is not overwritten.")
    state = read_run_state(folder)
    alone = DataFolderLock(folder) if state is None else nullcontext()
    with alone, TemporaryDirectory(dir=folder, prefix=_DRAFT) as draft:
        place, left_out = Path(draft), {*LEFT_OUT, *(path.name for path in folder.glob(f"{_DRAFT}*"))}
        sources = _gather_beside(state, folder, place, left_out) if state else _gather(folder, place, left_out)
        created_at = datetime.now(UTC).isoformat(timespec="seconds")
        manifest = Manifest(letuin=version("letuin"), revision=newest_revision(), created_at=created_at, digests={})
        size = sum(source.size for source in sources)
        with shown_progress("Writing", size) as report:
            write_archive(file.absolute(), sources, manifest, report)
    if as_json:
        print_json({"file": str(file), "files": len(sources), "bytes": file.stat().st_size, "created_at": created_at})
        return
    error_console().print(f"{file} holds {len(sources)} files ({file.stat().st_size:,} bytes).", markup=False)
    for variable, title in _OWN.items():
        if environ.get(variable):
            error_console().print(f"{title} is a server of your own ({variable}) and not in it.", markup=False)


def _gather(folder: Path, draft: Path, left_out: Collection[str]) -> list[Source]:
    async def dump() -> None:
        async with postgres_alone(folder) as stack:
            await _dump(url_of(stack), draft / DUMP)

    asyncio.run(dump())
    return [Source(draft / DUMP, DUMP), *list_files(folder, leave_out=left_out)]


def _gather_beside(state: RunState, folder: Path, draft: Path, left_out: Collection[str]) -> list[Source]:
    """The rows come first: what they name is there when the rest is copied, and what comes later harms nobody."""
    copy = draft / "copy"
    copy.mkdir()
    asyncio.run(_dump(_running_url(state), draft / DUMP))
    with error_console().status("Copying files …"):
        take_snapshot(folder, copy, leave_out=left_out)
    return [Source(draft / DUMP, DUMP), *list_files(copy, leave_out=())]


async def _dump(url: str, file: Path) -> None:
    with error_console().status("Dumping PostgreSQL …"):
        await dump_rows(url, file)


def _running_url(state: RunState) -> str:
    url = state.environment.get("DATABASE_URL", "")
    if urlsplit(url).hostname != LOOPBACK:
        raise CommandError("The running `letuin up` uses a PostgreSQL of your own: back it up with pg_dump.")
    return url


class _Reporter:
    """Moves a bar."""

    def __init__(self, bar: Progress, text: str, size: int) -> None:
        self._bar = bar
        self._task = bar.add_task(text, total=size)

    def __call__(self, read: int) -> None:
        self._bar.advance(self._task, read)


@contextmanager
def shown_progress(text: str, size: int) -> Iterator[_Reporter]:
    """A bar on stderr, on a terminal, for as long as the block runs; `size` is in bytes."""
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeElapsedColumn())
    console = error_console()
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        yield _Reporter(bar, text, size)

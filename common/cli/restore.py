"""`letuin restore`: what `letuin backup` wrote, into an empty data folder."""

import asyncio
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer
from alembic.script import ScriptDirectory
from alembic.util import CommandError as AlembicError

from common.cli.backup import DUMP, shown_progress
from common.cli.exits import CommandError
from common.cli.migrate import migration_config
from common.cli.options import JsonOption
from common.cli.output import error_console, print_json
from common.cli.surroundings import command_name, data_dir_of, read_environment
from common.embedded.archive import Manifest, extract_archive
from common.embedded.dump import postgres_alone, restore_rows, url_of
from common.embedded.state import DataFolderLock

app = typer.Typer(add_completion=False)
_HARMLESS = frozenset({"up.lock", "run.json", "ports.json", "README.md", "logs"})


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="What `letuin backup` wrote.")],
    data_dir: Annotated[Path | None, typer.Option(help="Data folder. Default: DATA_DIR, or data.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Put a backup into an empty data folder.

    Nothing is overwritten: move what is there away first. Every file is checked before anything is put in place. Then
    `letuin up` brings the database up to date and goes on with the jobs.
    """
    folder = (data_dir or data_dir_of(read_environment())).absolute()
    with DataFolderLock(folder), TemporaryDirectory(dir=folder, prefix=".restore-") as draft:
        kept = [path.name for path in folder.iterdir() if path.name not in {*_HARMLESS, Path(draft).name}]
        if kept:
            raise CommandError(f"The data folder {folder} holds {', '.join(sorted(kept)[:5])}: move it away first.")
        with shown_progress("Checking", file.stat().st_size) as report:
            manifest = extract_archive(file, Path(draft), report)
        _refuse_newer(manifest)
        asyncio.run(_restore_rows(Path(draft) / DUMP, folder))
        _move_files(Path(draft), folder)
    if as_json:
        print_json({"folder": str(folder), **manifest.model_dump(exclude={"digests"}), "files": len(manifest.digests)})
        return
    said = f"The data folder {folder} is as it was at {manifest.created_at}; go on with `{command_name()} up`."
    error_console().print(said, markup=False)


def _refuse_newer(manifest: Manifest) -> None:
    try:
        ScriptDirectory.from_config(migration_config()).get_revision(manifest.revision)
    except AlembicError as error:
        raise CommandError(
            f"The backup is of a newer release (letuin {manifest.letuin}, revision {manifest.revision}): upgrade first."
        ) from error


async def _restore_rows(dump: Path, folder: Path) -> None:
    """They come first: what fails does so before the other files are there."""
    try:
        async with postgres_alone(folder) as stack:
            with error_console().status("Restoring PostgreSQL …"):
                await restore_rows(url_of(stack), dump)
    except BaseException:
        shutil.rmtree(folder / "postgres", ignore_errors=True)
        raise


def _move_files(draft: Path, folder: Path) -> None:
    (draft / DUMP).unlink()
    for path in draft.iterdir():
        path.rename(folder / path.name)

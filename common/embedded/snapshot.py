"""Copies of files that running servers write, each as a crash at one moment would leave it."""

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from time import monotonic, sleep

from common.embedded.archive import name_is_kept
from common.embedded.errors import DataFolderError

_HELD = ("mongo", "chroma")
_CHECKPOINTS = "sqlite-data"
_MAGIC = b"SQLite format 3\x00"
_BESIDE = ("-wal", "-shm", "-journal")
_BUSY_SECONDS = 30
_STILL_SECONDS = 30.0
_PROC = Path("/proc")
# Reads until whoever holds is gone, however that ends, and lets go then.
_HOLD = 'kill -STOP "$@" && echo held; cat > /dev/null; kill -CONT "$@"'


def take_snapshot(folder: Path, copy: Path, *, leave_out: Collection[str]) -> None:
    """Copy the data folder of a running `letuin up` to `copy`, but for the names in `leave_out`.

    Checkpoints by SQLite's own backup; Chroma and the MongoDB-wire server stand still while their files are copied,
    and lose by that what a power cut would cost them: nothing that they had confirmed. Everything else is written once.
    Raises DataFolderError.
    """
    names = sorted(path.name for path in folder.iterdir() if path.name not in leave_out)
    for name in sorted(names, key=lambda each: (each != _CHECKPOINTS, each not in _HELD)):
        source, target = folder / name, copy / name
        if name == _CHECKPOINTS:
            _copy_all(source, target, _copy_database)
        elif name in _HELD:
            with held(processes_in(source)):
                _copy_all(source, target, _copy_file)
        else:
            _copy_all(source, target, _link)


def processes_in(folder: Path) -> list[int]:
    """The processes whose working folder is this one. Raises DataFolderError where the system does not tell."""
    if not _PROC.is_dir():
        raise DataFolderError("Only on Linux a backup is made beside a running `letuin up`: stop it first.")
    found = []
    for each in _PROC.iterdir():
        try:
            if each.name.isdigit() and (each / "cwd").readlink() == folder:
                found.append(int(each.name))
        except OSError:
            continue  # it ended, or belongs to somebody else
    return found


@contextmanager
def held(pids: Sequence[int]) -> Iterator[None]:
    """Let these processes stand still inside the block; they go on after it, also when this process is killed."""
    if not pids:
        yield
        return
    argv = ["sh", "-c", _HOLD, "hold", *map(str, pids)]
    with subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
    ) as holder:
        assert holder.stdin is not None
        assert holder.stdout is not None
        try:
            if holder.stdout.readline() != b"held\n":
                raise DataFolderError("A server cannot be held still for its copy: try again.")
            _wait_still(pids)
            yield
        finally:
            holder.stdin.close()


def _wait_still(pids: Sequence[int]) -> None:
    """A thread stops when it comes out of the kernel, so what it was writing is written whole."""
    end = monotonic() + _STILL_SECONDS
    while not all(_is_still(pid) for pid in pids):
        if monotonic() > end:
            raise DataFolderError("A server does not stand still for its copy: try again.")
        sleep(0.01)


def _is_still(pid: int) -> bool:
    try:
        stats = [(task / "stat").read_text() for task in (_PROC / str(pid) / "task").iterdir()]
    except OSError:
        return False  # a thread ended just now; ask again
    return all(stat.rpartition(")")[2].split()[0] in "TZX" for stat in stats)


def _copy_all(source: Path, target: Path, copy_one: Callable[[Path, Path], None]) -> None:
    """A file or a whole folder. What goes away meanwhile is left out."""
    if source.is_file():
        copy_one(source, target)
    for root, _, names in os.walk(source):
        place = target / Path(root).relative_to(source)
        place.mkdir(parents=True, exist_ok=True)
        for path in (Path(root, name) for name in names):
            if path.is_file() and name_is_kept(path):
                with suppress(FileNotFoundError):
                    copy_one(path, place / path.name)


def _copy_database(source: Path, target: Path) -> None:
    if source.name.endswith(_BESIDE):
        return
    with open(source, "rb") as file:
        is_database = file.read(len(_MAGIC)) == _MAGIC
    if not is_database:
        _copy_file(source, target)
        return
    place = f"{source.as_uri()}?mode=ro"
    with (
        closing(sqlite3.connect(place, uri=True, timeout=_BUSY_SECONDS)) as running,
        closing(sqlite3.connect(target)) as copied,
    ):
        running.backup(copied)


def _copy_file(source: Path, target: Path) -> None:
    shutil.copyfile(source, target)


def _link(source: Path, target: Path) -> None:
    """Written once, so a second name is a copy."""
    try:
        os.link(source, target)
    except FileNotFoundError:
        raise
    except OSError:
        _copy_file(source, target)

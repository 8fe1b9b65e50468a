"""Where a process writes its log: one file that is its own, and the dated archives beside it."""

import bz2
import fcntl
import glob
import gzip
import itertools
import lzma
import os
import re
import shutil
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from loguru import logger

from common.errors import InvalidError

_MODE = 0o640
_AGE = re.compile(r"(\d+(?:\.\d+)?)\s*(second|minute|hour|day|week|month|year)s?", re.IGNORECASE)
_DAYS = {"second": 1 / 86400, "minute": 1 / 1440, "hour": 1 / 24, "day": 1, "week": 7, "month": 30, "year": 365}
_COMPRESSORS: dict[str, Callable[..., Any]] = {"gz": gzip.open, "bz2": bz2.open, "xz": lzma.open}


class LogFile:
    """A log file held by this process alone, from `claim` to `close`."""

    def __init__(self, path: Path, lock: int, compression: str | None, retention: timedelta) -> None:
        self.path = path
        self._lock = lock
        self._compression = compression
        self._retention = retention
        # Packing 100 MB takes seconds; in loguru's writer thread it would stall every caller.
        self._packer = ThreadPoolExecutor(1, thread_name_prefix="log-packer")
        self._packer.submit(self._tidy)

    @classmethod
    def claim(cls, configured: Path, process: str, *, compression: str | None, retention: str) -> "LogFile":
        """Take `configured` for the process "api", `<process>.log` beside it for any other.

        A second process of the same name gets `<name>-2.log`: two processes rotating one file lose lines.
        `retention` is an age such as "30 days". Raises `InvalidError` for a folder that cannot be written, an
        unknown compression or an age that cannot be read.
        """
        if compression is not None and compression not in _COMPRESSORS:
            raise InvalidError(f"LOG_COMPRESSION must be one of {', '.join(_COMPRESSORS)} or None, not {compression}")
        age = _parse_age(retention)
        stem = configured.stem if process == "api" else _slug(process)
        try:
            configured.parent.mkdir(parents=True, exist_ok=True)
            for number in itertools.count(1):
                name = stem if number == 1 else f"{stem}-{number}"
                lock = _try_lock(configured.with_name(f".{name}.lock"))
                if lock is not None:
                    return cls(configured.with_name(f"{name}{configured.suffix}").absolute(), lock, compression, age)
        except OSError as error:
            raise InvalidError(
                f"LOG_FILE_PATH: cannot write in {configured.parent.absolute()}: {error.strerror}"
            ) from error
        raise AssertionError("unreachable: the numbers never end")

    def archive(self, rotated: str) -> None:
        """Name a file that was just rotated after the day of its last line; older ones are packed or removed."""
        source = Path(rotated)
        day = datetime.fromtimestamp(source.stat().st_mtime, tz=UTC).astimezone().date()
        for number in itertools.count(1):
            part = "" if number == 1 else f".{number}"
            target = self.path.with_name(f"{self.path.stem}.{day}{part}{self.path.suffix}")
            if not _is_taken(target):
                break
        source.rename(target)
        self._packer.submit(self._tidy)

    def close(self) -> None:
        """Finish packing and let another process have the file. Closing twice is harmless."""
        self._packer.shutdown()
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def _tidy(self) -> None:
        """The newest archive stays plain, so that `tail` and `cat` still find the last lines."""
        oldest = time.time() - self._retention.total_seconds()
        try:
            for path in self._archives("*"):
                if path.stat().st_mtime < oldest:
                    path.unlink()
            if self._compression:
                for path in sorted(self._archives(""), key=lambda path: path.stat().st_mtime_ns)[:-1]:
                    self._pack(path)
        except OSError as error:
            logger.warning("Old log files could not be tidied", error=error)

    def _archives(self, extension: str) -> list[Path]:
        stem, suffix = self.path.stem, self.path.suffix
        dated = re.compile(rf"{re.escape(stem)}\.\d{{4}}-\d\d-\d\d(\.\d+)?{re.escape(suffix)}(\.\w+)*")
        pattern = f"{glob.escape(stem)}.*{glob.escape(suffix)}{extension}"
        return [path for path in self.path.parent.glob(pattern) if dated.fullmatch(path.name)]

    def _pack(self, path: Path) -> None:
        assert self._compression is not None
        packed = path.with_name(f"{path.name}.{self._compression}")
        unfinished = packed.with_name(f"{packed.name}.part")
        with (
            path.open("rb") as source,
            open(unfinished, "wb", opener=open_private) as raw,
            _COMPRESSORS[self._compression](raw, "wb") as target,
        ):
            shutil.copyfileobj(source, target)
        shutil.copystat(path, unfinished)  # retention goes by the age of the last line
        unfinished.rename(packed)
        path.unlink()


def open_private(path: str, flags: int) -> int:
    """`opener` for `open`: readable by owner and group only."""
    return os.open(path, flags | os.O_CLOEXEC, _MODE)


def _parse_age(text: str) -> timedelta:
    match = _AGE.fullmatch(text.strip())
    if not match:
        raise InvalidError(f"LOG_RETENTION must be an age such as '30 days', not '{text}'")
    return timedelta(days=float(match[1]) * _DAYS[match[2].lower()])


def _is_taken(archive: Path) -> bool:
    """The plain name is looked at first: packing makes the packed file before it removes the plain one."""
    names = [archive.name, *(f"{archive.name}.{extension}" for extension in _COMPRESSORS)]
    return any(archive.with_name(name).exists() for name in names)


def _slug(process: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", process.lower()).strip("-") or "process"


def _try_lock(path: Path) -> int | None:
    """A descriptor that holds the lock until it is closed or the process ends; None when another holds it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _MODE)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor

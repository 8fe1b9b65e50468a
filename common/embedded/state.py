"""One `up` at a time per data folder, and what the others on this machine may know about it."""

import fcntl
import os
import time
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from pydantic import BaseModel, ConfigDict, ValidationError

from common.embedded.errors import AlreadyRunningError, DataFolderError
from common.embedded.files import prepare_data_folder, write_atomically


class RunState(BaseModel):
    """A running `up`: its process, where its api answers, the URL variables of its stores, and its logs."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    pid: int
    started_at: datetime
    api_url: str
    environment: dict[str, str]
    log_dir: Path


class DataFolderLock:
    """Holds a data folder for this process: `with DataFolderLock(data_dir) as lock: lock.publish(state)`.

    The kernel lets go when the process ends, however it ends.
    """

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._handle: int | None = None

    def __enter__(self) -> Self:
        """Raises AlreadyRunningError, naming process and URL, or DataFolderError."""
        folder = prepare_data_folder(self._data_dir)
        handle = _open_lock(folder)
        if not _take(handle):
            os.close(handle)
            raise AlreadyRunningError(_who_runs(folder))
        _state_path(folder).unlink(missing_ok=True)
        self._handle = handle
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._handle is not None:
            _state_path(self._data_dir).unlink(missing_ok=True)
            os.close(self._handle)
            self._handle = None

    def publish(self, state: RunState) -> None:
        """Write `data/run.json`, readable by this user only: it carries passwords."""
        write_atomically(_state_path(self._data_dir), state.model_dump_json(indent=2) + "\n")


def read_run_state(data_dir: Path) -> RunState | None:
    """What the `up` that holds this data folder published; None when none runs, or it is not that far yet."""
    if not _is_held(data_dir):
        return None
    return _read_state(data_dir)


def _open_lock(folder: Path) -> int:
    try:
        return os.open(folder / "up.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise DataFolderError(
            f"{folder / 'up.lock'} cannot be opened ({error.strerror}): "
            "start as the user who owns it, or set DATA_DIR to another folder."
        ) from error


def _take(handle: int) -> bool:
    """Lock the file. A reader of the state holds it for an instant only, an owner stays."""
    for _ in range(10):
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.02)
        else:
            return True
    return False


def _is_held(data_dir: Path) -> bool:
    try:
        handle = os.open(data_dir / "up.lock", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        # Shared, so that two readers at once do not take each other for an owner.
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False


def _state_path(data_dir: Path) -> Path:
    return data_dir / "run.json"


def _read_state(data_dir: Path) -> RunState | None:
    try:
        return RunState.model_validate_json(_state_path(data_dir).read_bytes())
    except (OSError, ValidationError):
        return None


def _who_runs(folder: Path) -> str:
    state = _read_state(folder)
    if state is None:
        return f"Letuin is already starting or stopping with the data folder {folder}: wait for it, or set DATA_DIR."
    return (
        f"Letuin is already running with the data folder {folder}: process {state.pid}, {state.api_url}. "
        "Stop it first, or set DATA_DIR to another folder."
    )

"""The data folder: made when missing, refused when it cannot be written, and files in it that are never half there."""

import os
import tempfile
from pathlib import Path

from common.embedded.errors import DataFolderError


def prepare_data_folder(data_dir: Path) -> Path:
    """Make the folder if needed and return its absolute path. Raises DataFolderError with what to do."""
    folder = data_dir.absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise DataFolderError(
            f"The data folder {folder} cannot be written ({error.strerror}): "
            "make it writable for this user, or set DATA_DIR to another folder."
        ) from error
    return folder


def write_atomically(path: Path, text: str, *, mode: int = 0o600) -> None:
    """Replace `path` in one step; whoever reads it sees the old text or the new one."""
    handle, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with open(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(draft, mode)
        os.replace(draft, path)
    except BaseException:
        os.unlink(draft)
        raise

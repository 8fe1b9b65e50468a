"""One file that holds a folder: a gzipped tar whose last member names the digest of every other one."""

import hashlib
import io
import os
import tarfile
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from pydantic import BaseModel, ConfigDict, ValidationError

from common.embedded.errors import DataFolderError

_MANIFEST = "manifest.json"
_COMPRESSION = 3

type Report = Callable[[int], None]
"""Called with the bytes that were read since it was called last."""


class Manifest(BaseModel):
    """What an archive says about itself: who wrote it, and the digest of each file."""

    model_config = ConfigDict(frozen=True)

    letuin: str
    revision: str
    created_at: str
    digests: dict[str, str]


@dataclass(frozen=True, slots=True)
class Source:
    """A file on the disk and its name in the archive."""

    path: Path
    name: str

    @property
    def size(self) -> int:
        """Bytes."""
        return self.path.stat().st_size


def list_files(folder: Path, *, leave_out: Collection[str]) -> list[Source]:
    """Every plain file under `folder`, by its path from there; `leave_out` are names directly in it."""
    found = []
    for root, folders, names in os.walk(folder):
        if Path(root) == folder:
            folders[:] = [name for name in folders if name not in leave_out]
            names = [name for name in names if name not in leave_out]
        paths = [Path(root, name) for name in sorted(names)]
        found += [
            Source(path, str(path.relative_to(folder))) for path in paths if path.is_file() and name_is_kept(path)
        ]
    return found


def name_is_kept(path: Path) -> bool:
    """Locks belong to whoever runs, not to the data."""
    return path.name != "lock" and not path.is_symlink()


def write_archive(path: Path, sources: Collection[Source], manifest: Manifest, report: Report) -> None:
    """Write the archive, whole or not at all, readable by this user only. Raises DataFolderError when it is there."""
    if path.exists():
        raise DataFolderError(f"{path} exists already; it is not overwritten.")
    draft = path.with_name(f".{path.name}.part")
    try:
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            _fill(file, sources, manifest, report)
            os.fsync(file.fileno())
        os.link(draft, path)  # unlike a rename, never over a file that came meanwhile
    except FileExistsError:
        raise DataFolderError(f"{path} exists already; it is not overwritten.") from None
    except OSError as error:
        raise DataFolderError(f"{path} cannot be written ({error.strerror}).") from error
    finally:
        draft.unlink(missing_ok=True)


def _fill(file: BinaryIO, sources: Collection[Source], manifest: Manifest, report: Report) -> None:
    digests = {}
    with tarfile.open(fileobj=file, mode="w:gz", compresslevel=_COMPRESSION) as tar:
        for source in sources:
            with open(source.path, "rb") as content:
                reader = _Digesting(content, report)
                tar.addfile(tar.gettarinfo(arcname=source.name, fileobj=content), reader)
            digests[source.name] = reader.digest
        text = manifest.model_copy(update={"digests": digests}).model_dump_json(indent=2).encode()
        about = tarfile.TarInfo(_MANIFEST)
        about.size = len(text)
        tar.addfile(about, io.BytesIO(text))


def extract_archive(path: Path, folder: Path, report: Report) -> Manifest:
    """Put the files under `folder` and check every one. Raises DataFolderError for an archive that is not whole."""
    try:
        digests = dict(_extract(path, folder, report))
        text = (folder / _MANIFEST).read_bytes()
        (folder / _MANIFEST).unlink()
        manifest = Manifest.model_validate_json(text)
    except (OSError, EOFError, tarfile.TarError, ValidationError) as error:
        raise DataFolderError(f"{path} is no whole backup ({type(error).__name__}).") from error
    digests.pop(_MANIFEST)
    if digests != manifest.digests:
        raise DataFolderError(f"{path} is damaged: its files are not those that were written.")
    return manifest


def _extract(path: Path, folder: Path, report: Report) -> Iterator[tuple[str, str]]:
    with open(path, "rb") as file, tarfile.open(fileobj=_Digesting(file, report), mode="r|gz") as tar:
        for member in tar:
            tar.extract(member, folder, filter="data")
            if member.isfile():
                with open(folder / member.name, "rb") as content:
                    yield member.name, hashlib.file_digest(content, "sha256").hexdigest()


class _Digesting(io.RawIOBase):
    """A file that is read once, from front to end."""

    def __init__(self, file: BinaryIO, report: Report) -> None:
        self._file = file
        self._report = report
        self._hash = hashlib.sha256()

    @property
    def digest(self) -> str:
        """Of what was read."""
        return self._hash.hexdigest()

    def readable(self) -> bool:
        """It is."""
        return True

    def read(self, size: int = -1) -> bytes:
        """As of any file."""
        data = self._file.read(size)
        self._hash.update(data)
        self._report(len(data))
        return data

"""Secrets that nobody set: made once, kept in the data folder, and read by every process that shares it."""

import os
import secrets
from pathlib import Path

from pydantic import SecretStr

from common.errors import InvalidError

_LEAST = 32


def load_secret(given: SecretStr | None, path: Path, *, setting: str) -> bytes:
    """The value of `setting`, or else what `path` holds, so that it outlives a restart.

    Raises `InvalidError` when the data folder cannot hold it.
    """
    if given is not None:
        return given.get_secret_value().encode()
    try:
        return _read_or_make(path)
    except OSError as error:
        raise InvalidError(
            f"DATA_DIR: {path} cannot be used ({error.strerror}); make the folder writable or set {setting}"
        ) from error


def _read_or_make(path: Path) -> bytes:
    """Several processes may start at once: the first whole file wins, the others read it."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not path.exists():
        draft = path.with_name(f"{path.name}.{os.getpid()}")
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(48))
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    secret = path.read_bytes().strip()
    if len(secret) < _LEAST:
        raise InvalidError(f"{path} holds no usable secret; delete it and start again")
    return secret

"""What `letuin doctor` says about settings: the environment, the secrets, the folders, the data formats."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from pydantic import SecretStr

from common.cli.checks import Finding, Verdict
from common.cli.exits import CommandError
from common.cli.surroundings import data_dir_of, load_settings
from common.config import CommonSettings, refuse_placeholder

_SECRETS = {"JWT_SECRET": 32, "ACCESS_TOKEN": 16}


def check_settings(environ: Mapping[str, str]) -> Iterator[tuple[str, Finding]]:
    """A name and a finding for each setting that somebody should know of."""
    try:
        settings = load_settings(environ)
    except CommandError as error:
        for line in error.details:
            yield "settings", Finding(Verdict.FAIL, line, "correct the variable, in the environment or in `.env`")
        return
    yield "settings", Finding(Verdict.OK, f"all can be read; {_env_file()}")
    yield "ENVIRONMENT", _environment(settings, environ)
    if settings.is_production:
        yield from ((name, _secret(name, size, environ)) for name, size in _SECRETS.items())
    yield "DATA_DIR", _folder(data_dir_of(environ), "set DATA_DIR to a folder that this user may write")
    if settings.log_file_path is not None:
        yield "LOG_FILE_PATH", _folder(settings.log_file_path.parent, "set LOG_FILE_PATH to a file elsewhere")


def _env_file() -> str:
    return ".env is read" if Path(".env").is_file() else "there is no .env here"


def _environment(settings: CommonSettings, environ: Mapping[str, str]) -> Finding:
    if "ENVIRONMENT" not in environ:
        return Finding(Verdict.OK, "not set: production (`letuin up` takes development)")
    if settings.environment.is_open:
        return Finding(Verdict.OK, f"{settings.environment}: requests without a token are the built-in local user's")
    return Finding(Verdict.OK, str(settings.environment))


def _secret(name: str, size: int, environ: Mapping[str, str]) -> Finding:
    value = environ.get(name)
    try:
        refuse_placeholder(name, SecretStr(value) if value else None, min_length=size)
    except ValueError as error:
        mend = f"set it to a random text: python -c 'import secrets; print(secrets.token_urlsafe({size}))'"
        return Finding(Verdict.FAIL, str(error).removeprefix(f"{name} "), mend)
    return Finding(Verdict.OK, "set")


def _folder(path: Path, mend: str) -> Finding:
    existing = next(parent for parent in (path.absolute(), *path.absolute().parents) if parent.exists())
    if not (existing.is_dir() and os.access(existing, os.W_OK | os.X_OK)):
        return Finding(Verdict.FAIL, f"{path} cannot be written", mend)
    return Finding(Verdict.OK, str(path))

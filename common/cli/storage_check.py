"""What `letuin doctor` says about the place of uploaded documents."""

import asyncio
from collections.abc import Mapping

from common.cli.checks import Finding, Verdict
from common.cli.exits import CommandError
from common.cli.surroundings import load_settings
from common.errors import AppError
from common.storage.opening import open_storage

_LIMIT = 10.0
_MEND = "correct STORAGE_URL and S3_*, or let the key read, write, list and delete there"


async def check_storage(environ: Mapping[str, str]) -> Finding | None:
    """It keeps a small file and gives it back; None when the settings cannot be read."""
    try:
        settings = load_settings(environ)
    except CommandError:
        return None
    if settings.storage_url is None and not settings.data_dir.exists():
        return Finding(Verdict.OK, f"{settings.data_dir}/files, made with the first document; for one host only")
    try:
        async with asyncio.timeout(_LIMIT):
            place = await open_storage(settings).check()
    except TimeoutError:
        return Finding(Verdict.FAIL, f"no answer from {settings.storage_url} within {_LIMIT:g} s", _MEND)
    except (OSError, AppError) as error:
        return Finding(Verdict.FAIL, str(error), _MEND if settings.storage_url else "let this user write DATA_DIR")
    return Finding(Verdict.OK, place if settings.storage_url else f"{place}, for one host only")

"""Servers of a test's own, from a copy of a data folder that is made once a session."""

import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.faults.arena import Arena
from tests.faults.arena import arena as open_arena


@pytest.fixture(scope="session")
def pristine_data() -> Iterator[Path]:
    """A data folder with a migrated, empty database, whose servers do not run."""
    with tempfile.TemporaryDirectory(prefix="letuin-fault-", ignore_cleanup_errors=True) as folder:
        subprocess.run([sys.executable, "-m", "tests.faults.prepare", f"{folder}/data"], check=True)
        yield Path(folder, "data")


@pytest.fixture
def data_dir(pristine_data: Path) -> Iterator[Path]:
    """A copy for one test; `cp` keeps the owner of the files, which may be another user."""
    with tempfile.TemporaryDirectory(prefix="letuin-fault-", ignore_cleanup_errors=True) as folder:
        subprocess.run(["cp", "-a", str(pristine_data), f"{folder}/data"], check=True)
        yield Path(folder, "data")


@pytest.fixture
async def arena(data_dir: Path) -> AsyncIterator[Arena]:
    """Own PostgreSQL and Valkey, no worker yet."""
    async with open_arena(data_dir) as opened:
        yield opened

"""Starts the servers once, before xdist's workers, and ends them with the session."""

import gc
import os
import subprocess
import sys
from pathlib import Path

import pytest
import socketio  # type: ignore[import-untyped]  # noqa: F401  whole, before the api hides its client side
from xdist.remote import Producer  # type: ignore[import-untyped]

from tests.fixtures.scheduling import Scheduling, put_longest_first
from tests.fixtures.server_process import SERVERS

# Nothing of what collection makes is ever garbage: looking for some is two fifths of it.
gc.disable()

# Hundreds of processes are started: without bytecode each of them would compile every library anew.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# As worker processes have it.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

pytest_plugins = [
    "tests.fixtures.chroma",
    "tests.fixtures.mail_server",
    "tests.fixtures.mongo",
    "tests.fixtures.provider",
    "tests.fixtures.stores",
    "tests.fixtures.workers",
    # these stand on those above
    "tests.api.threads",
    "tests.worker.chat_calls",
]

_process = pytest.StashKey["subprocess.Popen[str]"]()


_MOST_WORKERS = 15  # Valkey has 16 databases; the first one is for runs without xdist


def pytest_xdist_auto_num_workers() -> int:
    """Two a core: leases, outages and starts of processes are mostly waited for."""
    return min(2 * len(os.sched_getaffinity(0)), _MOST_WORKERS)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Scheduling:
    """The longest first, one by one; everything else by file."""
    config.option.loadscopereorder = False
    return Scheduling(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    put_longest_first(items)


def pytest_collection_finish() -> None:
    gc.enable()
    gc.freeze()


def pytest_configure(config: pytest.Config) -> None:
    if SERVERS in os.environ or config.option.collectonly:
        return
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.fixtures.server_process"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parent.parent,
        start_new_session=True,
    )
    assert process.stdout is not None
    config.stash[_process] = process
    line = process.stdout.readline()
    if not line:
        raise pytest.UsageError("PostgreSQL and Valkey did not start; what they said stands above")
    os.environ[SERVERS] = line


def pytest_unconfigure(config: pytest.Config) -> None:
    process = config.stash.get(_process, None)
    if process is None:
        return
    del os.environ[SERVERS]
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.close()
    process.wait(timeout=60)
    process.stdout.close()

"""One running system for the tests that leave it as it was."""

from collections.abc import Iterator

import pytest

from tests.fixtures.up import UpProcess


@pytest.fixture(scope="session")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[UpProcess]:
    """One system for all the tests of this process."""
    started = UpProcess.launch(tmp_path_factory.mktemp("up"))
    try:
        started.wait_running()
        yield started
    finally:
        started.stop()

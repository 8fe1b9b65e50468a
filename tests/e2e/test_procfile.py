"""The Procfile runs the same processes under a runner of one's own choice."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx2
import psutil
import pytest

from tests.fixtures.letuin import environment, letuin
from tests.fixtures.stores import Stores
from tests.fixtures.up import wait_gone

_PROCFILE = Path(__file__).parents[2] / "Procfile"
_LIMIT = 240.0


@pytest.mark.e2e
def test_honcho_runs_it(tmp_path: Path, stores: Stores) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    (tmp_path / ".env").write_text("# honcho and letuin both read it\nWORKER_DRAIN_GRACE=1\n")
    scripts = Path(sys.executable).parent
    env = environment(tmp_path, {**stores.environment, "API_PORT": port, "PATH": f"{scripts}:{os.environ['PATH']}"})
    with open(tmp_path / "honcho.out", "wb") as output:
        honcho = subprocess.Popen(
            [scripts / "honcho", "-f", _PROCFILE, "-d", tmp_path, "start"],
            cwd=tmp_path,
            env=env,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_until_alive(url, honcho, tmp_path / "honcho.out")
        echo = letuin(
            "submit", "system.echo", "-p", "message=x", "--wait", "--url", url, folder=tmp_path, timeout=_LIMIT
        )
        processes = psutil.Process(honcho.pid).children(recursive=True)
    finally:
        honcho.send_signal(signal.SIGTERM)
        honcho.wait(_LIMIT)

    assert echo.returncode == 0, echo.stderr
    assert wait_gone(processes) == []


def _wait_until_alive(url: str, process: "subprocess.Popen[bytes]", output: Path) -> None:
    end = time.monotonic() + _LIMIT
    while True:
        assert process.poll() is None, output.read_text()
        assert time.monotonic() < end, output.read_text()
        try:
            if httpx2.get(f"{url}/live", trust_env=False).is_success:
                return
        except httpx2.TransportError:
            time.sleep(0.1)

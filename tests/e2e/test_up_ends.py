"""How `letuin up` ends, and what keeps it from starting. Each of these tests starts one of its own."""

import json
import os
import signal
import socket
import time
from pathlib import Path

import pytest

from common.embedded.state import read_run_state
from tests.fixtures.letuin import letuin
from tests.fixtures.up import UpProcess, wait_gone

pytestmark = pytest.mark.e2e


def test_ctrl_c_stops_everything_also_in_the_middle_of_a_job(tmp_path: Path) -> None:
    up = UpProcess.launch(tmp_path)
    try:
        up.wait_running()
        up.letuin("submit", "system.sleep", "-p", "seconds=600")
        processes = up.descendants()
        up.process.send_signal(signal.SIGINT)

        assert up.process.wait(240) == 130, up.output
        assert wait_gone(processes) == []
        assert not (tmp_path / "data" / "run.json").exists()
    finally:
        up.stop()


@pytest.mark.soak  # half a minute
def test_two_ctrl_c_stop_everything_at_once(tmp_path: Path) -> None:
    up = UpProcess.launch(tmp_path, env={"WORKER_DRAIN_GRACE": "60"})
    try:
        up.wait_running()
        job_id = up.letuin("submit", "system.sleep", "-p", "seconds=600").strip()
        up.wait_until(lambda: up.job(job_id)["status"] == "running")
        processes = up.descendants()
        up.process.send_signal(signal.SIGINT)
        time.sleep(0.2)  # two signals at the very same time would be one
        up.process.send_signal(signal.SIGINT)

        assert up.process.wait(60) == 130, up.output
        assert wait_gone(processes) == []
        assert "starting it again" not in up.output
    finally:
        up.stop()


def test_killed_it_takes_everything_along(tmp_path: Path) -> None:
    up = UpProcess.launch(tmp_path)
    try:
        up.wait_running()
        processes = up.descendants()
        up.process.kill()
        up.process.wait()

        assert wait_gone(processes) == []
    finally:
        up.stop()


def test_ctrl_c_during_the_start_leaves_nothing(tmp_path: Path) -> None:
    up = UpProcess.launch(tmp_path)
    up.wait_until(lambda: "PostgreSQL and Redis started" in up.output)
    processes = up.descendants()
    up.process.send_signal(signal.SIGINT)

    assert up.process.wait(240) == 130, up.output
    assert wait_gone(processes) == []


@pytest.mark.soak  # half a minute
def test_nobody_has_to_read_what_it_prints(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    up = UpProcess.launch(tmp_path, output=writing)
    os.close(writing)
    os.close(reading)
    try:
        up.wait_until(lambda: read_run_state(tmp_path / "data") is not None)

        assert json.loads(up.letuin("submit", "system.echo", "-p", "message=x", "--wait")) == {"message": "x"}
    finally:
        up.stop()
    assert up.process.returncode == 0


def test_a_port_in_use_is_said_and_nothing_is_started(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        answer = letuin("up", "--port", str(port), folder=tmp_path)

    assert answer.returncode == 3
    assert answer.stderr.startswith(f"Error: The api cannot listen on 127.0.0.1:{port} (Address already in use)")
    assert not (tmp_path / "data" / "postgres").exists()


def test_a_data_folder_that_cannot_be_used_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")

    answer = letuin("up", "--data-dir", "file/data", folder=tmp_path)

    assert answer.returncode == 2
    assert answer.stderr.startswith(f"Error: The data folder {tmp_path / 'file' / 'data'} cannot be written")


def test_a_database_of_ones_own_that_is_away_is_said(tmp_path: Path) -> None:
    env = {"DATABASE_URL": "postgresql://letuin:sesame@127.0.0.1:1/letuin"}

    answer = letuin("up", "--port", "0", folder=tmp_path, env=env)

    assert answer.returncode == 3
    assert "PostgreSQL does not answer at 127.0.0.1:1/letuin" in answer.stderr
    assert "sesame" not in answer.stderr + answer.stdout

"""Servers and the life of the process that started them: killed parents, other users, closed folders."""

import json
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

import common.embedded.launch
from common.embedded.launch import own_capabilities
from common.embedded.state import read_run_state
from tests.common.embedded import parent

LAUNCHER = common.embedded.launch.__file__
PARENT = parent.__file__
NOBODY = 65534

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")


def start_parent(data_dir: Path, *servers: str, prefix: tuple[str, ...] = ()) -> "subprocess.Popen[str]":
    """A process that holds the data folder, runs the servers and prints their pids when all are ready."""
    return subprocess.Popen(
        [*prefix, sys.executable, PARENT, str(data_dir), *servers],
        stdout=subprocess.PIPE,
        stdin=subprocess.PIPE,
        text=True,
    )


def read_pids(process: "subprocess.Popen[str]") -> dict[str, int]:
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, "the parent ended before its servers were ready"
    pids: dict[str, int] = json.loads(line)
    return pids


def wait_until_gone(processes: list[psutil.Process], seconds: float) -> list[psutil.Process]:
    """Those still running when the time is over; a zombie that nobody reaps is gone."""
    return [process for process in processes if not _is_gone(process.pid, seconds)]


def _is_gone(pid: int, seconds: float) -> bool:
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([handle], [], [], seconds)[0])
    finally:
        os.close(handle)


def test_no_server_survives_the_sigkill_of_its_parent(tmp_path: Path) -> None:
    with start_parent(tmp_path) as process:
        pids = read_pids(process)
        assert set(pids) == {"postgres", "redis", "mongo", "chroma", "model", "smtp"}
        family = psutil.Process(process.pid).children(recursive=True)
        assert set(pids.values()) < {member.pid for member in family}
        process.kill()
    assert wait_until_gone(family, 15) == []


def test_the_next_start_waits_for_servers_of_a_killed_parent(tmp_path: Path) -> None:
    with start_parent(tmp_path, "postgres", "redis") as killed:
        old = read_pids(killed)
        killed.kill()
    with start_parent(tmp_path, "postgres", "redis") as process:
        new = read_pids(process)
        assert not set(old.values()) & set(new.values())
        process.terminate()
    assert process.returncode == 0


def test_two_interrupts_end_everything_cleanly(tmp_path: Path) -> None:
    with start_parent(tmp_path, "postgres", "redis") as process:
        pids = read_pids(process)
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGINT)
    assert process.returncode == 0
    assert wait_until_gone([psutil.Process(pid) for pid in pids.values() if psutil.pid_exists(pid)], 0) == []
    assert not (tmp_path / "postgres" / "cluster" / "postmaster.pid").exists()


def test_a_second_start_in_one_folder_is_refused(tmp_path: Path) -> None:
    with start_parent(tmp_path, "redis") as first:
        read_pids(first)
        state = read_run_state(tmp_path)
        assert state is not None
        assert state.pid == first.pid
        second = subprocess.run([sys.executable, PARENT, str(tmp_path), "redis"], capture_output=True, text=True)
        assert second.returncode == 1
        assert f"already running with the data folder {tmp_path}: process {first.pid}, {state.api_url}" in second.stderr
        first.kill()
    assert read_run_state(tmp_path) is None
    with start_parent(tmp_path, "redis") as third:
        read_pids(third)
        third.terminate()


@needs_root
def test_root_runs_postgres_as_another_user_below_closed_folders(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    with start_parent(closed / "data", "postgres") as process:
        server = psutil.Process(read_pids(process)["postgres"])
        assert server.uids().effective not in (0, closed.stat().st_uid)
        # It keeps the one capability to reach its folder, not root's power.
        status = Path(f"/proc/{server.pid}/status").read_text(encoding="ascii")
        assert int(status.partition("CapEff:")[2].split()[0], 16).bit_count() == 1
        process.terminate()
    assert process.returncode == 0


@needs_root
def test_an_open_folder_needs_no_capability(tmp_path: Path) -> None:
    command = [sys.executable, "-I", "-S", LAUNCHER, "--signal", "15", "--parent", str(os.getpid())]
    command += ["--uid", str(NOBODY), "--gid", str(NOBODY), "--", "/bin/cat", "/proc/self/status"]
    status = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert f"Uid:\t{NOBODY}\t{NOBODY}\t{NOBODY}\t{NOBODY}" in status
    assert "CapEff:\t0000000000000000" in status
    assert own_capabilities() != 0


@needs_root
def test_an_ordinary_user_runs_its_own_servers(tmp_path: Path) -> None:
    os.chown(tmp_path, NOBODY, NOBODY)
    # The interpreter may sit in root's home: this user may read it, and is otherwise an ordinary one.
    prefix = [sys.executable, "-I", "-S", LAUNCHER, "--signal", "15", "--parent", str(os.getpid())]
    prefix += ["--uid", str(NOBODY), "--gid", str(NOBODY), "--reach", "1", "--"]
    with start_parent(tmp_path / "data", "postgres", "redis", prefix=tuple(prefix)) as process:
        pids = read_pids(process)
        assert {psutil.Process(pid).uids().effective for pid in pids.values()} == {NOBODY}
        process.terminate()
    assert process.returncode == 0


def test_a_program_whose_parent_is_gone_does_not_start() -> None:
    command = [sys.executable, "-I", "-S", LAUNCHER, "--signal", "15", "--parent", "1", "--", "/bin/echo", "ran"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (126, "")
    assert "the parent process is gone" in result.stderr

"""Each process has a log file of its own, whatever happens to the process or to the disk."""

import gzip
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

PROGRAM = """
import os, sys
from pathlib import Path
from common.config import CommonSettings
from common.logger import configure_logging, logger, shutdown_logging
settings = CommonSettings(_env_file=None, environment="production", log_file_path=Path(sys.argv[1]))
configure_logging(settings, process=sys.argv[2])
logger.info("Started", pid=os.getpid())
if len(sys.argv) > 3:
    child = os.fork()
    if child == 0:
        logger.info("Child")
        shutdown_logging()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
print("ready", flush=True)
sys.stdin.read()
"""


def read_log(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def run(path: Path, process: str, *options: str) -> "subprocess.Popen[str]":
    child = subprocess.Popen(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", PROGRAM, str(path), process, *options],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert child.stdout
    assert child.stdout.readline() == "ready\n"
    return child


def test_each_process_has_a_file_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    children = [run(path, name) for name in ("api", "worker-default,LLM", "worker-default,LLM")]
    for child in children:
        child.communicate(timeout=60)

    for child, name in zip(children, ("app.log", "worker-default-llm.log", "worker-default-llm-2.log"), strict=True):
        (line,) = read_log(tmp_path / name)
        assert line["extra"] == {"pid": child.pid}


ROTATING = """
import os, sys
from pathlib import Path
from common.config import CommonSettings
from common.logger import configure_logging, logger, shutdown_logging
path, name, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
settings = CommonSettings(_env_file=None, environment="production", log_file_path=path, log_rotation="4 KB")
configure_logging(settings, process=name)
print("ready", flush=True)
sys.stdin.readline()
for number in range(count):
    logger.info("Line", process=name, pid=os.getpid(), number=number)
shutdown_logging()
"""


def test_processes_that_rotate_at_once_lose_and_mix_nothing(tmp_path: Path) -> None:
    path, count = tmp_path / "app.log", 150
    names = ("api", "worker-default", "worker-default", "worker-llm")
    children = [
        subprocess.Popen(
            [sys.executable, "-W", "ignore::DeprecationWarning", "-c", ROTATING, str(path), name, str(count)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd=Path(__file__).parents[2],
        )
        for name in names
    ]
    for child in children:
        assert child.stdout
        assert child.stdout.readline() == "ready\n"
    for child in children:
        child.communicate("go\n", timeout=60)

    found: dict[int, list[int]] = {child.pid: [] for child in children}
    stems: dict[str, set[int]] = {}
    for file in tmp_path.glob("*.log*"):
        text = gzip.decompress(file.read_bytes()).decode() if file.suffix == ".gz" else file.read_text("utf-8")
        for line in text.splitlines():
            extra = json.loads(line)["extra"]
            found[extra["pid"]].append(extra["number"])
            stems.setdefault(file.name.partition(".")[0], set()).add(extra["pid"])
    assert {tuple(sorted(numbers)) for numbers in found.values()} == {tuple(range(count))}
    assert {stem: len(pids) for stem, pids in stems.items()} == {
        "app": 1,
        "worker-default": 1,
        "worker-default-2": 1,
        "worker-llm": 1,
    }
    assert len(list(tmp_path.glob("app.2*.log.gz"))) > 2
    assert all(file.stat().st_mode & 0o777 == 0o640 for file in tmp_path.iterdir())


def test_forked_child_neither_hangs_nor_loses_the_line(tmp_path: Path) -> None:
    child = run(tmp_path / "app.log", "api", "fork")
    child.communicate(timeout=60)

    assert child.returncode == 0
    assert [line["message"] for line in read_log(tmp_path / "app.log")] == ["Started", "Child"]


def test_full_disk_does_not_reach_the_caller(tmp_path: Path) -> None:
    (tmp_path / "app.log").symlink_to("/dev/full")
    child = run(tmp_path / "app.log", "api")
    _, error = child.communicate(timeout=60)

    assert child.returncode == 0
    assert '"message": "Started"' in error
    assert "No space left on device" in error

"""Copies of files in use: databases while others write, servers that stand still for it and go on whatever happens."""

import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from common.embedded.snapshot import held, processes_in, take_snapshot

pytestmark = pytest.mark.skipif(not Path("/proc").is_dir(), reason="Linux tells who uses a folder")


def test_a_database_in_use_is_copied_with_what_was_committed(tmp_path: Path) -> None:
    place = tmp_path / "data" / "sqlite-data" / "example"
    place.mkdir(parents=True)
    (tmp_path / "data" / "files").mkdir()
    (tmp_path / "data" / "files" / "one.pdf").write_bytes(b"content")
    (tmp_path / "data" / "redis").mkdir()
    with closing(sqlite3.connect(place / "sqlite.db")) as database:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("CREATE TABLE words (word text)")
        database.execute("INSERT INTO words VALUES ('committed')")
        database.commit()
        database.execute("INSERT INTO words VALUES ('not yet')")
        take_snapshot(tmp_path / "data", tmp_path / "copy", leave_out={"redis"})

    shutil.rmtree(tmp_path / "data")
    copied = tmp_path / "copy" / "sqlite-data" / "example" / "sqlite.db"
    assert list(copied.parent.iterdir()) == [copied]
    with closing(sqlite3.connect(copied)) as database:
        assert database.execute("SELECT word FROM words").fetchall() == [("committed",)]
    assert (tmp_path / "copy" / "files" / "one.pdf").read_bytes() == b"content"
    assert not (tmp_path / "copy" / "redis").exists()


def test_who_is_held_goes_on_also_when_the_holder_was_killed(tmp_path: Path) -> None:
    idle = [sys.executable, "-c", "import sys; sys.stdin.read()"]
    with subprocess.Popen(idle, stdin=subprocess.PIPE, cwd=tmp_path) as server:
        assert processes_in(tmp_path) == [server.pid]
        with held([server.pid]):
            assert psutil.Process(server.pid).status() == psutil.STATUS_STOPPED

        hold = f"with held([{server.pid}]): print('held', flush=True); input()"
        script = [sys.executable, "-c", f"from common.embedded.snapshot import held\n{hold}"]
        with subprocess.Popen(script, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
            assert holder.stdout is not None
            assert holder.stdout.readline() == b"held\n"
            holder.kill()
        assert server.stdin is not None
        server.stdin.close()
        assert server.wait(60) == 0, "it reads again"

"""Jobs survive the loss of the whole data folder when there is a backup."""

import json
import shutil
import sqlite3
from pathlib import Path

import pytest

from tests.fixtures.documents import ROOT
from tests.fixtures.letuin import letuin
from tests.fixtures.up import UpProcess

pytestmark = pytest.mark.e2e


@pytest.mark.soak  # most of a minute
def test_everything_is_back_after_a_wipe(tmp_path: Path) -> None:
    first = UpProcess.launch(tmp_path)
    try:
        first.wait_running()
        done = first.letuin("submit", "system.echo", "-p", "message=안녕", "--wait", "--json")
        ended = json.loads(done.splitlines()[-1])["id"]
        waiting = first.letuin("submit", "system.echo", "-p", "message=later", "--delay", "1h").strip()
    finally:
        first.stop()
    checkpoints = tmp_path / "data" / "sqlite-data" / "example"
    checkpoints.mkdir(parents=True, exist_ok=True)
    with sqlite3.connect(checkpoints / "kept.db") as database:
        database.execute("CREATE TABLE kept (word text)")
        database.execute("INSERT INTO kept VALUES ('kept')")

    told = letuin("backup", "all.backup", "--json", folder=tmp_path)
    assert told.returncode == 0, told.stderr
    file = tmp_path / "all.backup"
    assert (file.stat().st_mode & 0o777, json.loads(told.stdout)["bytes"]) == (0o600, file.stat().st_size)
    again = letuin("backup", "all.backup", folder=tmp_path)
    assert (again.returncode, "exists already" in again.stderr) == (2, True)
    full = letuin("restore", "all.backup", folder=tmp_path)
    assert (full.returncode, "move it away first" in full.stderr) == (2, True)

    shutil.rmtree(tmp_path / "data")
    (tmp_path / "cut.backup").write_bytes(file.read_bytes()[:-100])
    cut = letuin("restore", "cut.backup", folder=tmp_path)
    assert (cut.returncode, "is no whole backup" in cut.stderr) == (2, True), cut.stderr
    restored = letuin("restore", "all.backup", folder=tmp_path)
    assert restored.returncode == 0, restored.stderr

    second = UpProcess.launch(tmp_path)
    try:
        second.wait_running()
        assert second.job(ended)["result"] == {"message": "안녕"}
        assert second.job(waiting)["waiting"]["reason"] == "schedule"
        assert json.loads(second.letuin("submit", "system.echo", "-p", "message=on", "--wait")) == {"message": "on"}
        assert json.loads(second.letuin("verify", "--json"))["is_sound"]
    finally:
        second.stop()
    with sqlite3.connect(checkpoints / "kept.db") as database:
        assert database.execute("SELECT word FROM kept").fetchall() == [("kept",)]


@pytest.mark.soak  # a minute
@pytest.mark.timeout(900)
def test_a_backup_beside_running_jobs_is_whole(tmp_path: Path) -> None:
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
    first = UpProcess.launch(tmp_path / "first")
    try:
        first.wait_running()
        lines = [json.dumps({"kind": "system.sleep", "payload": {"seconds": 0.05}}) for _ in range(300)]
        (first.folder / "jobs.jsonl").write_text("\n".join(lines))
        first.letuin("collections", "create", "handbooks")
        handbook = str(ROOT / "examples" / "documents" / "library-handbook.en.pdf")
        first.letuin("collections", "upload", "handbooks", handbook)
        said = first.letuin("chat", "-m", "Hello.")
        batch = first.letuin("batches", "submit", "jobs.jsonl").strip()
        told = json.loads(first.letuin("backup", str(tmp_path / "all.backup"), "--json"))
        assert told["files"] > 10
        assert list((first.folder / "data").glob(".backup-*")) == []
        first.letuin("batches", "watch", batch)
        assert json.loads(first.letuin("verify", "--json"))["is_sound"], "who was held still goes on"
    finally:
        first.stop()

    restored = letuin("restore", str(tmp_path / "all.backup"), folder=tmp_path / "second")
    assert restored.returncode == 0, restored.stderr
    second = UpProcess.launch(tmp_path / "second")
    try:
        second.wait_running()
        second.letuin("verify", "--repair")
        assert json.loads(second.letuin("verify", "--json"))["is_sound"]
        second.letuin("batches", "watch", batch)
        assert json.loads(second.letuin("batches", "show", batch, "--json"))["counts"]["succeeded"] == 300
        found = second.letuin("collections", "search", "handbooks", "How many books can I borrow?", "--limit", "1")
        assert "library-handbook" in found
        (thread,) = json.loads(second.letuin("threads", "list", "--json"))["items"]
        talk = json.loads(second.letuin("threads", "show", thread["id"], "--json"))
        assert said.strip()[:40] in json.dumps(talk, ensure_ascii=False)
    finally:
        second.stop()


@pytest.mark.parametrize(
    ("environment", "said"),
    [({}, "holds no database"), ({"DATABASE_URL": "postgresql://db.example/letuin"}, "names a server of your own")],
)
def test_what_cannot_be_backed_up_is_said(environment: dict[str, str], said: str, tmp_path: Path) -> None:
    refused = letuin("backup", "all.backup", folder=tmp_path, env=environment)
    assert (refused.returncode, said in refused.stderr) == (2, True), refused.stderr
    assert not (tmp_path / "all.backup").exists()

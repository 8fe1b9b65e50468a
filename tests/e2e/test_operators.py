"""What operators do from the command line: batches, queues and workers of a running system."""

import json
from typing import Any

import pytest

from tests.fixtures.letuin import letuin_here as letuin
from tests.fixtures.up import UpProcess

pytestmark = pytest.mark.e2e


def test_a_file_of_jobs_is_submitted_and_watched(up: UpProcess) -> None:
    lines = [json.dumps({"kind": "system.echo", "payload": {"message": str(number)}}) for number in range(30)]
    (up.folder / "jobs.jsonl").write_text("\n".join([*lines, "", '{"kind": "system.echo", "payload": {}}']))

    done = letuin("batches", "submit", "jobs.jsonl", "--size", "20", "--wait", folder=up.folder)

    first, second = done.stdout.split()
    assert done.returncode == 1, "one line was refused"
    assert "line 32: " in done.stderr
    assert "All 30 jobs have ended: 30 succeeded." in done.stderr
    assert json.loads(up.letuin("batches", "show", first, "--json"))["counts"]["succeeded"] == 20
    assert json.loads(up.letuin("batches", "show", second, "--json"))["total"] == 10


def test_payloads_of_one_kind_come_from_stdin_and_are_cancelled_together(up: UpProcess) -> None:
    payloads = '{"seconds": 600}\n{"seconds": 610}\n'
    sent = letuin("batches", "submit", "-", "--kind", "system.sleep", folder=up.folder, stdin=payloads)
    batch = sent.stdout.strip()
    assert sent.returncode == 0, sent.stderr

    up.letuin("batches", "cancel", batch)

    watched = letuin("batches", "watch", batch, folder=up.folder)
    assert (watched.returncode, watched.stderr) == (1, "All 2 jobs have ended: 2 cancelled.\n")
    assert json.loads(up.letuin("jobs", "retry-many", "--batch", batch, "--status", "cancelled", "--json")) == {
        "retried": 2
    }
    stopped = json.loads(up.letuin("jobs", "cancel-many", "--batch", batch, "--json"))
    assert stopped["cancelled"] + stopped["requested"] == 2


def test_requests_and_calls_of_models_are_found(up: UpProcess) -> None:
    job_id = up.letuin("submit", "llm.chat", "-p", "prompt=Say hello.", "-p", "max_tokens=5").strip()

    def calls() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(up.letuin("logs", "calls", "--job", job_id, "--json"))["items"]
        return found

    up.wait_until(lambda: calls() != [])
    (call,) = calls()
    (request,) = json.loads(up.letuin("logs", "requests", "--id", call["request_id"], "--json"))["items"]
    assert (call["outcome"], call["attempt"]) == ("ok", 1)
    assert (request["method"], request["route"], request["status"]) == ("POST", "/api/v1/jobs", 202)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["jobs", "cancel-many"], "Say which jobs are meant: --status, --kind, --queue, --tag or --batch."),
        (["batches", "submit", "nowhere.jsonl"], "nowhere.jsonl cannot be read"),
        (["batches", "submit", "-"], "- holds no jobs: write one JSON object a line."),
        (["queues", "pause", "nowhere"], "queue nowhere does not exist."),
        (["workers", "pause", "00000000-0000-7000-8000-00000000ffff"], "does not exist, or has stopped."),
    ],
)
def test_what_cannot_be_done_is_said(up: UpProcess, arguments: list[str], said: str) -> None:
    done = letuin(*arguments, folder=up.folder)
    assert done.returncode == 2
    assert said in done.stderr


def test_a_job_waits_for_another_and_is_submitted_once(up: UpProcess) -> None:
    echo = ("submit", "system.echo", "-p", "message=x")
    first = up.letuin("submit", "system.sleep", "-p", "seconds=600", "--unique", "nightly").strip()
    again = up.letuin("submit", "system.sleep", "-p", "seconds=600", "--unique", "nightly").strip()
    second = up.letuin(*echo, "--after", first, "--on-failure", "cancel", "--idempotency-key", "once").strip()
    repeated = up.letuin(*echo, "--after", first, "--on-failure", "cancel", "--idempotency-key", "once").strip()
    assert (again, repeated) == (first, second)
    up.letuin("jobs", "cancel", first)
    assert (
        json.loads(letuin("jobs", "watch", second, "--json", folder=up.folder).stdout.splitlines()[-1])["status"]
        == "cancelled"
    )


def test_a_paused_queue_starts_nothing(up: UpProcess) -> None:
    up.letuin("queues", "pause", "default")
    job = up.letuin("submit", "system.echo", "-p", "message=later").strip()
    waited = letuin("submit", "system.echo", "-p", "message=x", "--wait-limit", "1s", folder=up.folder)
    assert "is still queued after 1 s" in waited.stderr
    why = json.loads(up.letuin("jobs", "why", job, "--json"))
    assert (why["waiting"]["reason"], why["position"]) == ("paused", 1)
    assert "→ letuin queues resume default" in up.letuin("jobs", "why", job)
    queues = {queue["name"]: queue for queue in json.loads(up.letuin("queues", "list", "--json"))["items"]}
    assert (queues["default"]["is_paused"], queues["default"]["queued"]) == (True, 2)
    assert "paused" in up.letuin("queues", "list")

    up.letuin("queues", "resume", "default")

    assert json.loads(up.letuin("jobs", "watch", job, "--json").splitlines()[-1])["status"] == "succeeded"


def test_a_worker_is_paused_resized_and_resumed(up: UpProcess) -> None:
    worker = _worker(up)
    up.letuin("workers", "pause", worker["id"])
    paused = _worker(up)
    assert (paused["is_paused"], paused["is_late"]) == (True, False)
    assert "paused" in up.letuin("workers", "list")

    up.letuin("workers", "set-concurrency", worker["id"], "3")
    up.letuin("workers", "resume", worker["id"])

    resumed = _worker(up)
    assert (resumed["is_paused"], resumed["concurrency"]) == (False, 3)
    assert json.loads(up.letuin("submit", "system.echo", "-p", "message=x", "--wait")) == {"message": "x"}


def test_a_drained_worker_hands_back_what_it_runs(up: UpProcess) -> None:
    worker = _worker(up)
    job = up.letuin("submit", "system.sleep", "-p", "seconds=600").strip()
    up.wait_until(lambda: up.job(job)["status"] == "running")

    drained = json.loads(up.letuin("workers", "drain", worker["id"], "--json"))

    assert (drained["id"], drained["is_draining"], drained["running"]) == (worker["id"], True, 0)
    assert "draining" in up.letuin("workers", "list")
    assert json.loads(up.letuin("jobs", "why", job, "--json"))["waiting"]["reason"] == "no_worker"
    up.letuin("workers", "resume", worker["id"])
    up.wait_until(lambda: up.job(job)["status"] == "running")
    again = up.job(job)
    assert (again["attempt"], again["failures"]) == (2, 0), "a drain uses up nothing"
    assert "released" in up.letuin("jobs", "attempts", job)
    up.letuin("jobs", "cancel", job)


def test_an_admin_looks_after_users(up: UpProcess) -> None:
    made = letuin(
        "users", "create", "Grace@example.com", "--password-stdin", folder=up.folder, stdin="correct horse x\n"
    )
    assert made.returncode == 0, made.stderr
    assert "grace@example.com" in up.letuin("users", "list")
    assert json.loads(up.letuin("users", "set-role", "grace@example.com", "operator", "--json"))["role"] == "operator"
    grace = json.loads(up.letuin("users", "disable", "GRACE@example.com", "--json"))
    assert (grace["is_active"], json.loads(up.letuin("users", "show", grace["id"], "--json"))["is_active"]) == (
        False,
        False,
    )
    refused = letuin("login", "grace@example.com", "--password-stdin", folder=up.folder, stdin="correct horse x\n")
    assert refused.returncode == 2, refused.stderr
    assert json.loads(up.letuin("users", "enable", grace["id"], "--json"))["is_active"]
    nobody = letuin("users", "show", "eve@example.com", folder=up.folder)
    assert (nobody.returncode, "No user of your tenant has the address" in nobody.stderr) == (2, True)


def _worker(up: UpProcess) -> dict[str, Any]:
    """The one that serves the default queue."""
    workers: list[dict[str, Any]] = json.loads(up.letuin("workers", "list", "--json"))["items"]
    return next(worker for worker in workers if "default" in worker["queues"])

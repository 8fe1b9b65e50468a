"""`letuin up` from the outside: one command starts all, jobs run, deaths are survived."""

import json
import re
import signal
import subprocess

import httpx2
import pytest

from tests.fixtures.letuin import command, environment, letuin, letuin_here
from tests.fixtures.up import UpProcess

pytestmark = pytest.mark.e2e


def test_it_says_where_everything_is(up: UpProcess) -> None:
    health = httpx2.get(f"{up.state.api_url}/health", trust_env=False).json()

    assert (health["status"], health["environment"]) == ("healthy", "development")
    for text in (
        f"{up.state.api_url}/docs",
        f"{up.state.api_url}/console",
        "submit llm.chat -p prompt=",
        str(up.folder / "data"),
        "Ctrl-C",
    ):
        assert text in up.output
    assert "\x1b" not in up.output


def test_doctor_finds_nothing_wrong(up: UpProcess) -> None:
    findings: list[dict[str, str]] = []

    def is_well() -> bool:
        findings[:] = json.loads(letuin_here("doctor", "--json", folder=up.folder).stdout)
        return {item["verdict"] for item in findings} == {"ok"}

    up.wait_until(is_well, lambda: str(findings))  # on a machine that is too busy, something may be late


def test_an_echo_is_waited_for(up: UpProcess) -> None:
    assert json.loads(up.letuin("submit", "system.echo", "-p", "message=안녕", "--wait")) == {"message": "안녕"}


def test_the_model_streams_its_tokens(up: UpProcess) -> None:
    arguments = ("submit", "llm.chat", "-p", "prompt=Tell me about the sea.", "-p", "max_tokens=60")
    lines = [json.loads(line) for line in up.letuin(*arguments, "--follow", "--json").splitlines()]

    *events, job = lines
    texts = [event["data"]["text"] for event in events if event["type"] == "llm.delta"]
    assert job["status"] == "succeeded"
    assert len(texts) > 2
    assert "".join(texts) == job["result"]["text"]
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert (events[0]["type"], events[-1]["type"]) == ("job.queued", "job.succeeded")


def test_followed_text_is_the_answer_and_nothing_else(up: UpProcess) -> None:
    arguments = ("submit", "llm.chat", "-p", "prompt=Say hello.", "-p", "max_tokens=20", "-p", "temperature=0")
    shown = up.letuin(*arguments, "--follow")
    (newest,) = json.loads(up.letuin("jobs", "list", "--limit", "1", "--kind", "llm.chat", "--json"))["items"]

    assert shown.rstrip("\n") == up.job(newest["id"])["result"]["text"].rstrip("\n")


def test_progress_is_followed(up: UpProcess) -> None:
    answer = letuin("submit", "system.sleep", "-p", "seconds=1.5", "--follow", folder=up.folder)

    assert answer.returncode == 0
    assert "100%" in answer.stderr
    assert re.match(r"✓ succeeded in \d", answer.stderr.rstrip().splitlines()[-1])


def test_ctrl_c_leaves_a_followed_job_alone(up: UpProcess) -> None:
    following = subprocess.Popen(
        command("submit", "system.sleep", "-p", "seconds=600", "--follow"),
        cwd=up.folder,
        env=environment(up.folder),
        stderr=subprocess.PIPE,
        text=True,
    )
    assert following.stderr is not None
    assert following.stderr.readline() == "0%\n"
    following.send_signal(signal.SIGINT)
    said = following.communicate(timeout=240)[1]
    (job,) = json.loads(up.letuin("jobs", "list", "--status", "running", "--json"))["items"]
    up.letuin("jobs", "cancel", job["id"])

    assert following.returncode == 130
    assert f"letuin jobs watch {job['id']}" in said
    assert f"letuin jobs cancel {job['id']}" in said
    assert "Traceback" not in said


def test_jobs_are_cancelled_and_retried(up: UpProcess) -> None:
    job_id = up.letuin("submit", "system.sleep", "-p", "seconds=600").strip()
    up.letuin("jobs", "cancel", job_id)
    watched = letuin_here("jobs", "watch", job_id, folder=up.folder)
    up.letuin("jobs", "retry", job_id)
    again = up.job(job_id)
    up.letuin("jobs", "cancel", job_id)

    assert watched.returncode == 1
    assert "✗ cancelled" in watched.stderr
    assert again["status"] in ("queued", "running")


def test_what_is_wrong_is_said_by_field(up: UpProcess) -> None:
    unknown = letuin_here("submit", "system.ecco", "-p", "message=x", folder=up.folder)
    wrong = letuin_here("submit", "llm.chat", "--payload", '{"messages": [{"role": "user"}]}', folder=up.folder)
    absent = letuin_here("jobs", "show", "00000000-0000-7000-8000-00000000abcd", folder=up.folder)

    assert (unknown.returncode, wrong.returncode, absent.returncode) == (2, 2, 2)
    assert "rag.answer, system.echo, system.sleep" in unknown.stderr
    assert "body.payload.messages.0: content is missing" in wrong.stderr
    assert "does not exist" in absent.stderr


def test_a_second_one_in_the_folder_is_refused(up: UpProcess) -> None:
    second = letuin("up", folder=up.folder)

    assert second.returncode == 4
    assert up.state.api_url in second.stderr
    assert json.loads(up.letuin("submit", "system.echo", "-p", "message=x", "--wait")) == {"message": "x"}


def test_a_user_signs_in(up: UpProcess) -> None:
    letuin_here("users", "create", "ada@example.com", "--password-stdin", folder=up.folder, stdin="correct horse\n")
    wrong = letuin_here("login", "ada@example.com", "--password-stdin", folder=up.folder, stdin="wrong horse\n")
    right = letuin_here("login", "ada@example.com", "--password-stdin", folder=up.folder, stdin="correct horse\n")
    assert (wrong.returncode, right.returncode) == (2, 0), right.stderr
    mine = json.loads(up.letuin("jobs", "list", "--json"))["items"]
    (tokens,) = up.folder.rglob("tokens.json")
    tokens_mode = tokens.stat().st_mode & 0o777
    tokens.unlink()

    assert tokens_mode == 0o600
    assert mine == []


def test_a_killed_worker_is_survived(up: UpProcess) -> None:
    job_id = up.letuin("submit", "system.sleep", "-p", "seconds=5").strip()
    up.wait_until(lambda: up.job(job_id)["status"] == "running")
    up.descendant("worker.main", "default,email,agent,documents").kill()
    lines = up.letuin("jobs", "watch", job_id, "--json").splitlines()

    *events, job = [json.loads(line) for line in lines]
    assert (job["status"], job["attempt"]) == ("succeeded", 2)
    assert [event["type"] for event in events].count("job.succeeded") == 1

"""`letuin top` on a terminal and into a pipe."""

import json
import os
import pty
import select
import subprocess
from time import monotonic

import pytest

from tests.fixtures.letuin import command, environment, letuin_here
from tests.fixtures.up import UpProcess

pytestmark = pytest.mark.e2e


class Terminal:
    """`letuin top` on a terminal of its own."""

    def __init__(self, up: UpProcess) -> None:
        self._handle, theirs = pty.openpty()
        env = {**environment(up.folder), "TERM": "xterm-256color", "LINES": "50"}
        arguments = command("top", "--interval", "0.2")
        self.process = subprocess.Popen(
            arguments, cwd=up.folder, env=env, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
        )
        os.close(theirs)
        self.shown = ""

    def press(self, key: str) -> None:
        os.write(self._handle, key.encode())

    def until(self, text: str) -> None:
        """Read until it is on the screen; what was read before does not count."""
        self.shown, end = "", monotonic() + 240
        while text not in self.shown:
            assert monotonic() < end, self.shown
            ready, _, _ = select.select([self._handle], [], [], 1)
            if ready:
                self.shown += os.read(self._handle, 65536).decode(errors="replace")

    def close(self) -> int:
        """The exit code."""
        try:
            return self.process.wait(240)
        finally:
            self.process.kill()
            os.close(self._handle)


def test_it_lives_on_a_terminal_and_obeys_keys(up: UpProcess) -> None:
    job = up.letuin("submit", "system.sleep", "-p", "seconds=600").strip()
    terminal = Terminal(up)
    try:
        terminal.until(job)
        assert "slots busy" in terminal.shown
        up.letuin("jobs", "cancel", job)
        terminal.until("0 of ")
        terminal.press("p")
        terminal.until("paused")
        terminal.press("p")
        terminal.until("q quit")
        terminal.press("q")
    finally:
        code = terminal.close()
    assert code == 0


def test_one_picture_goes_into_a_pipe(up: UpProcess) -> None:
    picture = up.letuin("top", "--once")
    assert "slots busy" in picture
    assert "default" in picture
    assert "\x1b" not in picture
    told = json.loads(up.letuin("top", "--json"))
    assert {queue["name"] for queue in told["queues"]} >= {"default", "llm", "email"}
    assert told["workers"]
    live = letuin_here("top", folder=up.folder)
    assert (live.returncode, live.stderr) == (2, "Error: This is no terminal: use --once or --json.\n")

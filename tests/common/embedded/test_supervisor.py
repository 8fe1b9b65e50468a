"""The supervisor on small programs: readiness, errors, restarts, order of the end."""

import asyncio
import signal
import sys
import threading
from datetime import timedelta
from itertools import count

import pytest

from common.embedded.errors import EmbeddedServerError
from common.embedded.process import ProcessSpec, run
from common.embedded.supervisor import Supervisor

_TERM = "{signal.SIGTERM}"
OBEDIENT = f"import signal as s; signal = s; s.pthread_sigmask(s.SIG_BLOCK, {_TERM}); print('up'); s.sigwait({_TERM})"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up'); signal.pause()"


class Lines:
    """A sink that remembers, and whose lines can be waited for."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str]] = []
        self._arrived = asyncio.Event()

    def __call__(self, name: str, line: str) -> None:
        self.seen.append((name, line))
        self._arrived.set()

    async def wait_for(self, name: str, line: str, times: int = 1) -> None:
        async with asyncio.timeout(60):
            while self.seen.count((name, line)) < times:
                self._arrived.clear()
                await self._arrived.wait()


def python(code: str) -> list[str]:
    return [sys.executable, "-u", "-S", "-c", code]


async def never() -> bool:
    return False


async def test_a_program_that_ends_at_once_is_named_with_its_last_line() -> None:
    code = "print('first'); print('the disk is full'); raise SystemExit(3)"
    spec = ProcessSpec(name="store", argv=python(code), ready=never, advice="Set STORE_URL.")
    async with Supervisor() as supervisor:
        with pytest.raises(EmbeddedServerError) as caught:
            await supervisor.start(spec)
        assert supervisor.pid("store") is None
    expected = "store ended with 3 before it was ready; it last printed: the disk is full. Set STORE_URL."
    assert caught.value.message == expected


async def test_a_program_that_is_never_ready_is_given_up_and_ended() -> None:
    limit = timedelta(milliseconds=300)
    spec = ProcessSpec(name="slow", argv=python(OBEDIENT), ready=never, ready_timeout=limit)
    async with Supervisor() as supervisor:
        with pytest.raises(EmbeddedServerError, match=r"^slow was not ready after 0.3 s; it last printed: up\.$"):
            await supervisor.start(spec)
        assert supervisor.pid("slow") is None


async def test_a_program_that_does_not_exist_is_a_clear_error() -> None:
    spec = ProcessSpec(name="ghost", argv=["/no/such/program"], ready=never)
    async with Supervisor() as supervisor:
        with pytest.raises(EmbeddedServerError, match="cannot run /no/such/program: No such file or directory"):
            await supervisor.start(spec)


async def test_a_dead_process_reports_its_end_and_starts_anew_with_a_fresh_environment() -> None:
    lines, numbers, ends = Lines(), count(1), list[int]()

    async def on_exit(code: int) -> None:
        ends.append(code)
        lines("test", "exit seen")

    spec = ProcessSpec(
        name="worker",
        argv=python("import os; print('incarnation', os.environ['NUMBER']);" + OBEDIENT),
        env=lambda: {"NUMBER": str(next(numbers))},
        on_exit=on_exit,
    )
    async with Supervisor(lines) as supervisor:
        await supervisor.start(spec)
        await lines.wait_for("worker", "incarnation 1")
        await lines.wait_for("worker", "up")
        supervisor.terminate("worker", signal.SIGKILL)
        await lines.wait_for("worker", "incarnation 2")
        await lines.wait_for("worker", "up", times=2)
        told = [line for _, line in lines.seen]
        assert told.index("exit seen") < told.index("incarnation 2")
    assert ends == [-signal.SIGKILL, 0]


async def test_the_pause_between_restarts_grows() -> None:
    lines = Lines()
    async with Supervisor(lines) as supervisor:
        await supervisor.start(ProcessSpec(name="broken", argv=python("")))
        for pause in ("0.2", "0.4", "0.8"):
            await lines.wait_for("broken", f"ended with 0; starting it again in {pause} s")


async def test_a_failing_callback_does_not_keep_a_process_down() -> None:
    lines = Lines()

    async def on_exit(_: int) -> None:
        raise RuntimeError("the database is away")

    async with Supervisor(lines) as supervisor:
        await supervisor.start(ProcessSpec(name="worker", argv=python(OBEDIENT), on_exit=on_exit))
        await lines.wait_for("worker", "up")
        supervisor.terminate("worker")
        await lines.wait_for("worker", "after its end: RuntimeError: the database is away")
        await lines.wait_for("worker", "up", times=2)


async def test_a_process_without_restart_stays_down() -> None:
    lines = Lines()
    async with Supervisor(lines) as supervisor:
        await supervisor.start(ProcessSpec(name="once", argv=python("print('done')"), restart=False))
        await lines.wait_for("once", "ended with 0")
        assert supervisor.pid("once") is None


async def test_later_tiers_end_first_and_a_stubborn_process_is_killed() -> None:
    lines = Lines()
    ends: list[tuple[str, int]] = []

    def spec(name: str, code: str) -> ProcessSpec:
        async def on_exit(returncode: int) -> None:
            ends.append((name, returncode))

        limit = timedelta(milliseconds=200)
        return ProcessSpec(name=name, argv=python(code), on_exit=on_exit, stop_timeout=limit)

    supervisor = Supervisor(lines)
    await supervisor.start(spec("database", OBEDIENT))
    await supervisor.start(spec("worker", STUBBORN))
    for name in ("database", "worker"):
        await lines.wait_for(name, "up")
    await supervisor.stop()
    assert ends == [("worker", -signal.SIGKILL), ("database", 0)]
    assert ("worker", "did not stop within 0.2 s; killing it") in lines.seen


async def test_a_cancelled_stop_goes_on() -> None:
    lines = Lines()
    supervisor = Supervisor(lines)
    await supervisor.start(ProcessSpec(name="server", argv=python(OBEDIENT)))
    await lines.wait_for("server", "up")
    first = asyncio.create_task(supervisor.stop())
    await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    await supervisor.stop()
    assert supervisor.pid("server") is None
    with pytest.raises(EmbeddedServerError, match="nothing new is started"):
        await supervisor.start(ProcessSpec(name="late", argv=python("")))


async def test_output_is_cut_into_lines_whatever_it_is() -> None:
    lines = Lines()
    code = "import sys; sys.stdout.buffer.write('한국어\\n\\n'.encode() + b'\\xff\\n' + b'x' * 300_000 + b'\\nend')"
    async with Supervisor(lines) as supervisor:
        await supervisor.start(ProcessSpec(name="loud", argv=python(code), restart=False))
        await lines.wait_for("loud", "end")
    texts = [line for name, line in lines.seen if name == "loud"]
    assert texts[:2] == ["한국어", "\ufffd"]
    assert sum(text.count("x") for text in texts) == 300_000


async def test_a_command_that_fails_says_why() -> None:
    with pytest.raises(EmbeddedServerError, match="tool ended with 2; it last printed: no"):
        await run(ProcessSpec(name="tool", argv=python("print('no'); raise SystemExit(2)")))


def test_another_thread_may_not_start_processes() -> None:
    caught: list[EmbeddedServerError] = []

    def attempt() -> None:
        try:
            asyncio.run(run(ProcessSpec(name="tool", argv=python(""))))
        except EmbeddedServerError as error:
            caught.append(error)

    thread = threading.Thread(target=attempt)
    thread.start()
    thread.join()
    assert [error.message for error in caught] == ["tool must be started from the main thread."]

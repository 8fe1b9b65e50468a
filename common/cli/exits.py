"""How commands end: the exit codes, and the error that carries one."""

from enum import IntEnum

from common.errors import AppError


class ExitCode(IntEnum):
    """What a shell script sees; shown at the end of `letuin --help`."""

    OK = 0
    FAILED = 1
    USAGE = 2
    UNREACHABLE = 3
    ALREADY_RUNNING = 4
    INTERRUPTED = 130


EPILOG = (
    "Exit codes: 0 done · 1 the job ended otherwise than succeeded, or a check failed · "
    "2 wrong usage or settings, or the api refused · 3 something cannot be reached, or the port is in use · "
    "4 already running · 130 interrupted"
)


class CommandError(AppError):
    """Ends a command: the message is one sentence for the person, `details` are further lines."""

    code = "command"

    def __init__(self, message: str, exit_code: ExitCode = ExitCode.USAGE, *, details: list[str] | None = None) -> None:
        super().__init__(message)
        self.exit_code = exit_code
        self.details = details or []


class UnreachableError(CommandError):
    """A server that the command needs does not answer."""

    code = "unreachable"

    def __init__(self, message: str) -> None:
        super().__init__(message, ExitCode.UNREACHABLE)

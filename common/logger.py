"""The log of one process: console and file, loguru and the standard library, nothing secret in either."""

import contextlib
import logging
import os
import sys
from typing import TYPE_CHECKING, Any, TextIO

from loguru import logger

from common.config import CommonSettings, Environment
from common.errors import InvalidError
from common.log_file import LogFile, open_private
from common.log_format import clean, render_console, render_json

if TYPE_CHECKING:
    from loguru import Record

__all__ = ["configure_logging", "logger", "shutdown_logging"]

_LEVELS = {Environment.DEVELOPMENT: "DEBUG", Environment.TEST: "WARNING"}
_STANDARD_LEVELS = frozenset(("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"))
# These tell everything they do and would drown the rest.
_NOISY = ("asyncio", "beanie", "httpx", "httpx2", "motor", "multipart", "urllib3", "watchfiles")
# The details of these are prompts, rows, packets and headers, which no level may log.
_CONFIDENTIAL = (
    *("langchain", "langchain_core", "langchain_chroma", "langchain_openai", "langgraph", "langsmith", "openai"),
    *("aiosqlite", "chromadb", "psycopg", "pymongo", "sqlalchemy"),
    *("engineio", "httpcore", "httpcore2", "socketio", "websockets"),
    # Their constructors hang a handler of their own on a logger that has no level yet.
    *("socketio.server", "socketio.client", "engineio.server", "engineio.client"),
)


def configure_logging(settings: CommonSettings, *, process: str) -> None:
    """Send all that this process logs, by loguru or `logging`, to stderr and to LOG_FILE_PATH if it is set.

    Replaces an earlier configuration. `process` names the file: "api" writes LOG_FILE_PATH itself, "worker-llm"
    writes `worker-llm.log` beside it. Raises `InvalidError` naming the variable when the file cannot be used.
    """
    shutdown_logging()
    level = settings.log_level or _LEVELS.get(settings.environment, "INFO")
    is_console = (settings.log_format or _default_format(settings.environment)) == "console"
    options: dict[str, Any] = {
        "level": level,
        "format": render_console if is_console else render_json,
        "backtrace": False,
        "diagnose": False,
        "catch": True,
    }
    logger.configure(patcher=clean)
    logger.add(_write_stderr, colorize=is_console and _wants_colour(sys.stderr), **options)
    path = settings.log_file_path
    log_file = None
    if path:
        log_file = LogFile.claim(path, process, compression=settings.log_compression, retention=settings.log_retention)
    is_debugging = settings.log_level in ("TRACE", "DEBUG")
    _intercept(_StandardHandler(log_file), logger.level(level).no, is_debugging=is_debugging)
    if log_file:
        _add_file(log_file, settings, options)


def shutdown_logging() -> None:
    """Write what is still queued, close the file, give `logging` its defaults back. Harmless when not set up."""
    logger.complete()
    with contextlib.suppress(OSError):  # a full disk refuses the last bytes as well
        logger.remove()
    for handler in [handler for handler in logging.root.handlers if isinstance(handler, _StandardHandler)]:
        logging.root.removeHandler(handler)
        logging.root.setLevel(logging.WARNING)
        logging.captureWarnings(False)
        handler.close()


def _default_format(environment: Environment) -> str:
    return "json" if environment in (Environment.STAGING, Environment.PRODUCTION) else "console"


def _wants_colour(stream: TextIO | None) -> bool:
    if os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or (stream is not None and stream.isatty())


def _write_stderr(text: str) -> None:
    """Looks the stream up each time: a test runner or a supervisor may have replaced it."""
    if sys.stderr is not None:
        sys.stderr.write(text)
        sys.stderr.flush()


def _add_file(log_file: LogFile, settings: CommonSettings, options: dict[str, Any]) -> None:
    try:
        logger.add(
            log_file.path,
            rotation=settings.log_rotation,
            compression=log_file.archive,
            enqueue=True,
            # Python 3.14 would start a helper process for what is one queue between two threads.
            context="fork",
            encoding="utf-8",
            opener=open_private,
            colorize=False,
            **options,
        )
    except OSError as error:
        raise InvalidError(f"LOG_FILE_PATH: cannot write {log_file.path}: {error.strerror}") from error
    except ValueError as error:
        raise InvalidError(f"LOG_ROTATION: {error}") from error


def _intercept(handler: "_StandardHandler", level: int, *, is_debugging: bool) -> None:
    """Make `handler` the only one of the standard library's loggers, those of uvicorn and arq included."""
    for existing in logging.root.manager.loggerDict.values():
        if isinstance(existing, logging.Logger):
            existing.handlers.clear()
            existing.propagate = True
            existing.disabled = False
    logging.root.handlers[:] = [handler]
    logging.root.setLevel(level)
    logging.lastResort = handler
    logging.captureWarnings(True)
    for name in _NOISY:
        logging.getLogger(name).setLevel(level if is_debugging else max(level, logging.WARNING))
    for name in _CONFIDENTIAL:
        logging.getLogger(name).setLevel(max(level, logging.WARNING))
    # Below INFO it writes WebSocket frames: answers, and the tokens of handshakes.
    logging.getLogger("uvicorn.error").setLevel(max(level, logging.INFO))


class _StandardHandler(logging.Handler):
    """Hands the standard library's records to loguru. Owns the log file, so that both end together."""

    def __init__(self, log_file: LogFile | None) -> None:
        super().__init__()
        self._log_file = log_file
        self._last_resort = logging.lastResort

    def emit(self, record: logging.LogRecord) -> None:
        def set_origin(line: "Record") -> None:
            line["name"], line["function"], line["line"] = record.name, record.funcName, record.lineno

        try:
            level = record.levelname if record.levelname in _STANDARD_LEVELS else record.levelno
            logger.patch(set_origin).opt(exception=record.exc_info).log(level, record.getMessage())
        except Exception:
            self.handleError(record)

    def close(self) -> None:
        logging.lastResort = self._last_resort
        if self._log_file:
            self._log_file.close()
        super().close()

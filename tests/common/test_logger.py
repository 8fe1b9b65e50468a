"""The log as an operator finds it: real files, real processes, the formats field by field."""

import gzip
import json
import logging
import os
import re
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from common.config import CommonSettings
from common.errors import InvalidError
from common.logger import configure_logging, logger, shutdown_logging

CANARY = "c4n4ry-v4lu3"
ONE_LINE = re.compile(
    r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} \| (?P<level>[A-Z ]{8}) \| "
    r"(?P<logger>[\w.]+):(?P<function>[\w<>]+):\d+ - (?P<message>.*)$"
)
Start = Callable[..., Path]


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Configures the log of this process and returns the path of its file."""
    monkeypatch.delenv("FORCE_COLOR", raising=False)

    def configure(*, process: str = "api", name: str = "app.log", **values: Any) -> Path:
        path = tmp_path / "logs" / name
        options = {"environment": "production", "log_file_path": path, **values}
        configure_logging(CommonSettings(_env_file=None, **options), process=process)
        return path

    yield configure
    shutdown_logging()


def read_lines(path: Path) -> list[dict[str, Any]]:
    shutdown_logging()
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_console_line_has_the_specified_shape(start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    start(environment="development", log_file_path=None)
    logger.bind(user_id=123).info("User created")

    match = ONE_LINE.match(capsys.readouterr().err)
    assert match
    assert match["level"] == "INFO    "
    assert match["logger"].endswith("test_logger")
    assert match["function"] == "test_console_line_has_the_specified_shape"
    assert match["message"] == "User created: user_id=123"


def test_json_line_has_exactly_the_specified_keys(start: Start) -> None:
    path = start()
    logger.info("User created", user_id=123)

    (line,) = read_lines(path)
    assert list(line) == ["timestamp", "level", "logger", "function", "line", "message", "extra"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["timestamp"])
    assert (line["level"], line["message"], line["extra"]) == ("INFO", "User created", {"user_id": 123})
    assert isinstance(line["line"], int)


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_nothing_in_a_message_forges_a_line(start: Start, log_format: str) -> None:
    path = start(log_format=log_format)
    logger.bind(name="a\nb").info("one\ntwo\r\x1b[31m\u2028\x9b\udc80 {braces} <red>한국어")
    shutdown_logging()

    text = path.read_text("utf-8")
    assert len(text.splitlines()) == 1
    assert not re.search("[\x1b\x9b]", text)
    assert "{braces} <red>한국어" in text
    if log_format == "json":
        assert json.loads(text)["message"].startswith("one\ntwo\r\x1b[31m\u2028\x9b")


def test_exception_is_one_further_key_without_variables(start: Start) -> None:
    path = start()
    hidden = CANARY * 2
    try:
        raise RuntimeError(f"cannot reach redis://user:{CANARY}@host")
    except RuntimeError:
        logger.exception("Failed")

    (line,) = read_lines(path)
    assert "RuntimeError: cannot reach redis://user:***@host" in line["exception"]
    assert hidden not in line["exception"]


@pytest.mark.parametrize(
    ("environment", "levels", "is_json"),
    [
        ("development", ["DEBUG", "INFO", "WARNING"], False),
        ("test", ["WARNING"], False),
        ("staging", ["INFO", "WARNING"], True),
        ("production", ["INFO", "WARNING"], True),
    ],
)
def test_defaults_follow_the_environment(
    start: Start, capsys: pytest.CaptureFixture[str], environment: str, levels: list[str], is_json: bool
) -> None:
    path = start(environment=environment, log_file_path=None)
    for level in ("DEBUG", "INFO", "WARNING"):
        logger.log(level, level)

    lines = capsys.readouterr().err.splitlines()
    found = [json.loads(line)["message"] if is_json else line.rpartition(" - ")[2] for line in lines]
    assert found == levels
    assert not path.parent.exists()


def test_rotated_files_carry_the_day_and_older_ones_are_packed(start: Start) -> None:
    path = start(log_rotation="2 KB")
    for number in range(60):
        logger.info("Line", number=number)
    shutdown_logging()

    plain = [file.name for file in path.parent.glob("app.2*.log")]
    packed = sorted(path.parent.glob("app.2*.log.gz"))
    assert len(plain) == 1
    assert len(packed) > 2
    assert all(
        re.fullmatch(r"app\.\d{4}-\d\d-\d\d(\.\d+)?\.log(\.gz)?", name) for name in [*plain, *(p.name for p in packed)]
    )
    assert all(file.stat().st_mode & 0o777 == 0o640 for file in path.parent.iterdir())
    texts = [gzip.decompress(file.read_bytes()).decode() for file in packed]
    texts += [path.with_name(plain[0]).read_text(), path.read_text()]
    numbers = [json.loads(line)["extra"]["number"] for text in texts for line in text.splitlines()]
    assert sorted(numbers) == list(range(60))


def test_archives_older_than_the_retention_go_and_other_logs_stay(start: Start) -> None:
    path = start(log_rotation="1 KB", log_retention="30 days")
    path.parent.mkdir(exist_ok=True)
    old, young, foreign = (path.with_name(n) for n in ("app.2020-01-01.log.gz", "app.2020-01-02.log.gz", "other.log"))
    for file in (old, young, foreign):
        file.touch()
    for file in (old, foreign):
        os.utime(file, (0, 0))
    for number in range(20):
        logger.info("Line", number=number)
    shutdown_logging()

    assert not old.exists()
    assert young.exists()
    assert foreign.exists()


def test_standard_library_is_intercepted_with_its_origin(start: Start) -> None:
    uvicorn = logging.getLogger("uvicorn.error")
    uvicorn.addHandler(logging.StreamHandler())
    uvicorn.propagate = False
    path = start(log_level="INFO")
    uvicorn.info("Started %s {not a field}", "server")
    logging.getLogger("arq.worker").warning("slow")
    for name in ("asyncio", "httpx2", "sqlalchemy.engine", "socketio.server", "engineio.server"):
        logging.getLogger(name).info("hidden")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(False)
        logging.captureWarnings(True)
        warnings.warn("old way", UserWarning, stacklevel=1)

    lines = read_lines(path)
    assert [line["logger"] for line in lines] == ["uvicorn.error", "arq.worker", "py.warnings"]
    assert lines[0]["message"] == "Started server {not a field}"
    assert lines[0]["function"] == "test_standard_library_is_intercepted_with_its_origin"


def test_explicit_debug_opens_the_noisy_but_never_the_confidential(start: Start) -> None:
    path = start(log_level="DEBUG")
    confidential = ("sqlalchemy.engine", "openai", "engineio.server", "pymongo.command", "aiosqlite", "langgraph")
    for name in ("httpx2", "asyncio", *confidential):
        logging.getLogger(name).debug("details")

    assert [line["logger"] for line in read_lines(path)] == ["httpx2", "asyncio"]


@pytest.mark.parametrize(
    "text",
    [
        f"postgresql://letuin:{CANARY}@127.0.0.1/letuin",
        f"redis://:{CANARY}@127.0.0.1:6379/0",
        f"postgresql://user:p@ss{CANARY}@host/db",
        f"Authorization: Bearer {CANARY}",
        f'"authorization": "Basic {CANARY}"',
        f"bearer {CANARY}",
        f"eyJhbGciOi.eyJzdWIi.{CANARY}",
        f"Incorrect API key provided: sk-proj-{CANARY}",
        f"password={CANARY}",
        f"{{'api_key': '{CANARY}'}}",
        f'{{"refresh_token": "{CANARY}"}}',
        f"OPENAI_API_KEY={CANARY} next",
        f"/socket.io/?EIO=4&token={CANARY}&x=1",
        f"Cookie: theme=dark; session={CANARY}",
    ],
)
def test_secrets_reach_no_sink(start: Start, capsys: pytest.CaptureFixture[str], text: str) -> None:
    path = start()
    logger.info(text)
    logger.info("Bound", detail={"list": [text]}, note=text)
    logging.getLogger("uvicorn").error("failed: %s", text)
    try:
        raise ValueError(text)
    except ValueError as error:
        logger.opt(exception=error).error("Raised")
    shutdown_logging()

    written = path.read_text("utf-8") + capsys.readouterr().err
    assert CANARY not in written
    assert written.count("***") >= 8


def test_secret_names_are_masked_and_harmless_ones_are_not(start: Start) -> None:
    path = start()
    secret = dict.fromkeys(
        ("password", "token", "secret", "api_key", "Authorization", "access_token", "set-cookie"), CANARY
    )
    harmless = {"max_tokens": 5, "prompt_tokens": 7, "allow_stores_without_password": False}
    logger.bind(**secret, headers={"Cookie": CANARY}, **harmless).info("max_tokens=5 of 7")

    (line,) = read_lines(path)
    assert CANARY not in json.dumps(line)
    assert {name: line["extra"][name] for name in harmless} == harmless
    assert line["message"] == "max_tokens=5 of 7"


def test_values_that_cannot_be_written_still_make_a_line(start: Start) -> None:
    class Broken:
        def __str__(self) -> str:
            raise RuntimeError("no text")

    path = start()
    loop: list[object] = []
    loop.append(loop)
    logger.info("Odd", broken=Broken(), nan=float("nan"), raw=b"\xff", loop=loop, path=Path("x"))

    (line,) = read_lines(path)
    assert line["extra"]["broken"] == "<Broken that cannot be printed>"
    assert (line["extra"]["nan"], line["extra"]["path"]) == ("nan", "x")


def test_configuring_again_replaces_the_first(start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    path = start()
    logger.info("first")
    assert start(name="second.log") != path
    logger.info("second")
    shutdown_logging()

    assert [line["message"] for line in read_lines(path)] == ["first"]
    assert capsys.readouterr().err.count("second") == 1
    assert logging.root.level == logging.WARNING


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"log_rotation": "banana"}, "LOG_ROTATION"),
        ({"log_retention": "banana"}, "LOG_RETENTION"),
        ({"log_compression": "rar"}, "LOG_COMPRESSION"),
        ({"log_file_path": "/proc/nowhere/app.log"}, "LOG_FILE_PATH"),
    ],
)
def test_wrong_setting_is_named(start: Start, values: dict[str, str], words: str) -> None:
    with pytest.raises(InvalidError, match=words):
        start(**values)


@pytest.mark.parametrize(
    ("environment", "is_coloured"),
    [({}, False), ({"FORCE_COLOR": "1"}, True), ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False)],
)
def test_colours_only_where_they_are_wanted(
    start: Start,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    environment: dict[str, str],
    is_coloured: bool,
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    configure_logging(CommonSettings(_env_file=None, environment="development"), process="api")
    logger.info("Hello")

    assert ("\x1b[" in capsys.readouterr().err) is is_coloured

"""What `letuin up` is going to do, decided and checked before anything starts."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter

from common.cli.api_processes import claim_port, count_of, port_of
from common.cli.exits import CommandError
from common.cli.surroundings import load_settings
from common.cli.worker_process import WorkerPlan, default_plans

_HOST = "127.0.0.1"
_ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}


@dataclass(frozen=True, kw_only=True)
class UpPlan:
    """Everything that `up` needs to know. `environ` is what every process gets, still without the servers' URLs."""

    host: str
    port: int
    api_processes: int
    data_dir: Path
    log_dir: Path
    is_embedded: bool
    workers: tuple[WorkerPlan, ...]
    environ: Mapping[str, str]

    @property
    def url(self) -> str:
        """Where a client on this machine finds the api."""
        host = _ANYWHERE.get(self.host, f"[{self.host}]" if ":" in self.host else self.host)
        return f"http://{host}:{self.port}"

    @property
    def console_url(self) -> str | None:
        """The page for people; None where CONSOLE_ENABLED leaves it out."""
        is_there = TypeAdapter(bool).validate_python(self.environ.get("CONSOLE_ENABLED") or True)
        return f"{self.url}/console" if is_there else None


def make_plan(
    environ: Mapping[str, str],
    *,
    host: str | None,
    port: int | None,
    api_processes: int | None,
    workers: int,
    concurrency: int | None,
    data_dir: Path,
    is_embedded: bool,
) -> UpPlan:
    """What is None comes from `environ`.

    Raises CommandError for settings that cannot be used, UnreachableError for a port that is taken.
    """
    log_dir = _log_dir(environ, data_dir)
    defaults = {
        "ENVIRONMENT": "development",
        "LOG_FILE_PATH": str(log_dir / "app.log"),
        # A person waits for the end of Ctrl-C; what is not done by then is run again.
        "WORKER_DRAIN_GRACE": "3",
    }
    full = {**defaults, **environ, "DATA_DIR": str(data_dir), "PYTHONUNBUFFERED": "1"}
    load_settings(full)
    _make_log_dir(log_dir)
    host = host or environ.get("API_HOST") or _HOST
    return UpPlan(
        host=host,
        port=claim_port(host, port_of(environ, port)),
        api_processes=count_of(environ, api_processes),
        data_dir=data_dir,
        log_dir=log_dir,
        is_embedded=is_embedded,
        workers=tuple(default_plans(workers, concurrency)) if workers else (),
        environ=full,
    )


def _log_dir(environ: Mapping[str, str], data_dir: Path) -> Path:
    """Beside LOG_FILE_PATH; else `logs` beside a folder called `data`, and inside any other data folder."""
    named = environ.get("LOG_FILE_PATH", "")
    if named and named.lower() not in ("none", "null"):
        return Path(named).absolute().parent
    return data_dir.with_name("logs") if data_dir.name == "data" else data_dir / "logs"


def _make_log_dir(log_dir: Path) -> None:
    try:
        log_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CommandError(
            f"The log folder {log_dir} cannot be made ({error.strerror}): "
            "make its parent writable, or set LOG_FILE_PATH to a file elsewhere."
        ) from error

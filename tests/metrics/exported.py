"""Every figure that a process can export, without any server: containers build, and nothing connects."""

from pathlib import Path

from api.config import ApiSettings
from api.container import ApiContainer
from api.metrics import show_process
from common.metrics.instruments import Instrument
from common.metrics.registry import MetricRegistry
from worker.config import WorkerSettings
from worker.container import WorkerContainer

_NOWHERE = {
    "environment": "test",
    "database_url": "postgresql://letuin@127.0.0.1:1/letuin",
    "redis_url": "redis://127.0.0.1:1/0",
    "mongodb_url": "mongodb://127.0.0.1:1/letuin",
}


def exported(folder: Path) -> dict[str, Instrument]:
    """By exported name: what an api process and a worker have with every setting on."""
    return {**_api(folder), **_worker()}


def _api(folder: Path) -> dict[str, Instrument]:
    container = ApiContainer(
        settings=ApiSettings.model_validate({**_NOWHERE, "jwt_secret": "x" * 40, "data_dir": folder})
    )
    container.job_metrics()
    container.siblings()
    container.api_metrics()
    show_process(
        container.metrics(),
        bus=container.event_bus(),
        sockets=container.realtime(),
        lag=container.loop_lag(),
        writer=container.request_log_writer(),
    )
    return _named(container.metrics())


def _worker() -> dict[str, Instrument]:
    container = WorkerContainer(settings=WorkerSettings.model_validate({**_NOWHERE, "llm_call_log": True}))
    container.worker_metrics()
    container.llm_meter()
    container.status().show()
    return _named(container.metrics())


def _named(registry: MetricRegistry) -> dict[str, Instrument]:
    return {each.exported_name: each for each in registry.instruments}

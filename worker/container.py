"""What a worker builds on top of the common container."""

from dependency_injector import providers

from common.container import CommonContainer
from common.repository.attempt import AttemptRepository
from common.repository.upkeep import UpkeepRepository
from common.repository.worker import WorkerRepository
from worker.claimer import Claimer
from worker.engine import Engine
from worker.event_writer import EventWriter
from worker.finisher import Finisher
from worker.ports import WorkerPorts
from worker.reconciler import Reconciler
from worker.runner import Runner
from worker.signals import SignalListener


class WorkerContainer(CommonContainer):
    """Synchronous singletons over `WorkerSettings`; `lifespan.py` opens and closes what needs it."""

    attempts = providers.Singleton(
        AttemptRepository, result_inline_bytes=CommonContainer.settings.provided.result_inline_bytes
    )
    workers = providers.Singleton(WorkerRepository)
    upkeep = providers.Singleton(UpkeepRepository)
    ports = providers.Singleton(WorkerPorts, CommonContainer.settings)
    event_writer = providers.Singleton(EventWriter, CommonContainer.events)
    finisher = providers.Singleton(
        Finisher, CommonContainer.engine, attempts, CommonContainer.hints, event_writer.provided.put
    )
    runner = providers.Singleton(
        Runner,
        CommonContainer.catalog,
        ports,
        event_writer.provided.put,
        CommonContainer.settings.provided.max_result_bytes,
    )
    claimer = providers.Singleton(
        Claimer,
        CommonContainer.engine,
        attempts,
        CommonContainer.hints,
        CommonContainer.settings.provided.worker_queues,
        redelivery=CommonContainer.settings.provided.hint_redelivery,
        poll_interval=CommonContainer.settings.provided.worker_poll_interval,
    )
    engine_worker = providers.Singleton(
        Engine,
        CommonContainer.settings,
        CommonContainer.redis,
        CommonContainer.keys,
        CommonContainer.catalog,
        attempts,
        claimer,
        runner,
        finisher,
        event_writer,
    )
    reconciler = providers.Singleton(
        Reconciler,
        CommonContainer.sessions,
        upkeep,
        CommonContainer.redis,
        CommonContainer.keys,
        CommonContainer.lock,
        CommonContainer.hints,
        event_writer,
        max_crashes=CommonContainer.settings.provided.max_crashes,
        lease=CommonContainer.settings.provided.lease_duration,
    )
    signals = providers.Singleton(
        SignalListener,
        CommonContainer.listener_redis,
        CommonContainer.keys,
        CommonContainer.settings.provided.worker_queues,
        on_wake=engine_worker.provided.wake,
        on_cancel=engine_worker.provided.cancel,
    )

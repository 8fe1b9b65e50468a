"""What a worker builds on top of the common container."""

from dependency_injector import containers, providers

from common.container import CommonContainer
from common.repository.attempt import AttemptRepository
from common.repository.upkeep import UpkeepRepository
from common.repository.worker import WorkerRepository
from worker.claimer import Claimer
from worker.config import WorkerSettings
from worker.engine import Engine
from worker.event_writer import EventWriter
from worker.finisher import Finisher
from worker.ports import WorkerPorts
from worker.reconciler import Reconciler
from worker.runner import Runner
from worker.signals import SignalListener


class WorkerContainer(CommonContainer):
    """Synchronous singletons; `lifespan.py` opens and closes what needs it."""

    settings = providers.Dependency(instance_of=WorkerSettings)

    attempts = providers.Singleton(AttemptRepository)
    workers = providers.Singleton(WorkerRepository)
    upkeep = providers.Singleton(UpkeepRepository)
    ports = providers.Singleton(WorkerPorts, settings)
    event_writer = providers.Singleton(EventWriter, CommonContainer.events)
    finisher = providers.Singleton(
        Finisher, CommonContainer.engine, attempts, CommonContainer.hints, event_writer.provided.put
    )
    runner = providers.Singleton(
        Runner,
        CommonContainer.catalog,
        ports,
        event_writer.provided.put,
        settings.provided.max_result_bytes,
    )
    claimer = providers.Singleton(
        Claimer,
        CommonContainer.engine,
        attempts,
        CommonContainer.hints,
        settings.provided.worker_queues,
        redelivery=settings.provided.hint_redelivery,
        poll_interval=settings.provided.worker_poll_interval,
    )
    engine_worker = providers.Singleton(
        Engine,
        settings,
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
        max_crashes=settings.provided.max_crashes,
        lease=settings.provided.lease_duration,
    )
    signals = providers.Singleton(
        SignalListener,
        CommonContainer.listener_redis,
        CommonContainer.keys,
        settings.provided.worker_queues,
        on_wake=engine_worker.provided.wake,
        on_cancel=engine_worker.provided.cancel,
    )

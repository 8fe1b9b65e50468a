"""What a worker builds on top of the common container."""

import asyncio
from secrets import token_hex

from common.container import CommonContainer
from common.injection import providers
from common.llm_log import open_llm_calls
from common.loop_lag import LoopLag
from common.queue.notices import Notices
from common.repository.attempt import AttemptRepository
from common.repository.document import DocumentRepository
from common.repository.document_cleanup import DocumentCleanupRepository
from common.repository.limit import LimitRepository
from common.repository.mail import MailRepository
from common.repository.paid_call import PaidCallRepository
from common.repository.retention import RetentionRepository
from common.repository.run_so_far import RunSoFarRepository
from common.repository.system_schedule import SystemScheduleRepository
from common.repository.upkeep import UpkeepRepository
from common.repository.usage import UsageRepository
from common.repository.user import UserRepository
from common.repository.worker import WorkerRepository
from worker.agent_upkeep import AgentUpkeep
from worker.claimer import Claimer
from worker.dependants import Dependants
from worker.document.lazy import LazyDocuments
from worker.document.upkeep import DocumentUpkeep
from worker.engine import Engine
from worker.event_writer import EventWriter
from worker.finisher import Finisher
from worker.lazy_agents import LazyAgents
from worker.leader import Leader
from worker.llm.breaker import Breaker
from worker.llm.cache import AnswerCache
from worker.llm.call_log import create_call_writer, create_meter
from worker.llm.cooling import CoolingPatience
from worker.llm.desk import CallDesk
from worker.llm.flow import FlowControl
from worker.llm.flow_limits import FlowRules
from worker.llm.ledger import PaidLedger
from worker.mail.attachments import AttachmentReader
from worker.mail.rate import MailRate
from worker.mailer import SmtpMailer
from worker.metrics import WorkerMetrics
from worker.notifier import Notifier
from worker.ports import WorkerPorts
from worker.purger import Purger
from worker.reconciler import Reconciler
from worker.runner import Runner
from worker.scheduler import Scheduler
from worker.signals import SignalListener
from worker.status import WorkerStatus
from worker.system_schedules import SystemSchedules
from worker.webhook.caller import WebhookCaller
from worker.webhook.dispatcher import WebhookDispatcher
from worker.webhook.sender import WebhookSender


class WorkerContainer(CommonContainer):
    """Synchronous singletons over `WorkerSettings`; `lifespan.py` opens and closes what needs it."""

    worker_metrics = providers.Singleton(WorkerMetrics, CommonContainer.metrics, CommonContainer.job_metrics)
    llm_call_writer = providers.Singleton(
        create_call_writer,
        providers.Singleton(open_llm_calls, CommonContainer.settings),
    )
    llm_meter = providers.Singleton(create_meter, CommonContainer.metrics, CommonContainer.tracer, llm_call_writer)
    attempts = providers.Singleton(
        AttemptRepository, result_inline_bytes=CommonContainer.settings.provided.result_inline_bytes
    )
    workers = providers.Singleton(WorkerRepository)
    limits = providers.Singleton(LimitRepository)
    upkeep = providers.Singleton(UpkeepRepository)
    mails = providers.Singleton(MailRepository)
    mail_flow = providers.Singleton(
        FlowControl, CommonContainer.redis, CommonContainer.keys, providers.Singleton(FlowRules)
    )
    mail_rate = providers.Singleton(MailRate, mail_flow, CommonContainer.settings.provided.mail_max_per_minute)
    mail_attachments = providers.Singleton(
        AttachmentReader,
        CommonContainer.sessions,
        CommonContainer.jobs,
        providers.Singleton(DocumentRepository),
        CommonContainer.storage.provider,
        CommonContainer.settings.provided.mail_max_bytes,
    )
    mailer = providers.Singleton(
        SmtpMailer,
        CommonContainer.settings,
        CommonContainer.sessions,
        CommonContainer.direct,
        mails,
        mail_attachments,
        CommonContainer.vault,
        mail_rate,
    )
    webhook_caller = providers.Singleton(
        WebhookCaller,
        CommonContainer.settings.provided.webhook_timeout,
        CommonContainer.settings.provided.webhook_private_networks,
    )
    webhook_called = providers.Singleton(asyncio.Event)
    webhook_sender = providers.Singleton(
        WebhookSender,
        CommonContainer.sessions,
        CommonContainer.webhooks,
        webhook_caller,
        CommonContainer.settings.provided.webhook_schedule,
        worker_metrics,
        CommonContainer.vault,
        webhook_called,
    )
    webhook_dispatcher = providers.Singleton(
        WebhookDispatcher,
        CommonContainer.sessions,
        CommonContainer.webhooks,
        CommonContainer.jobs,
        CommonContainer.announcer,
        CommonContainer.settings.provided.webhook_interval,
        CommonContainer.settings.provided.webhook_retention,
        CommonContainer.vault,
        CommonContainer.settings.provided.webhook_progress_interval,
        webhook_called,
        CommonContainer.direct,
    )
    paid_calls = providers.Singleton(PaidCallRepository)
    ledger = providers.Singleton(PaidLedger, CommonContainer.direct, paid_calls)
    flow = providers.Singleton(FlowControl.of, CommonContainer.settings, CommonContainer.redis, CommonContainer.keys)
    breaker = providers.Singleton(Breaker, CommonContainer.settings, flow)
    runs_so_far = providers.Singleton(RunSoFarRepository)
    cooling = providers.Singleton(
        CoolingPatience,
        CommonContainer.settings.provided.llm_cooldown_patience,
        CommonContainer.direct,
        runs_so_far,
    )
    desk = providers.Singleton(CallDesk, CommonContainer.settings, ledger, flow, breaker, cooling)
    answers = providers.Singleton(AnswerCache, CommonContainer.settings, CommonContainer.redis, CommonContainer.keys)
    agents = providers.Singleton(LazyAgents, CommonContainer.settings, CommonContainer.sessions, CommonContainer.direct)
    agent_upkeep = providers.Singleton(AgentUpkeep, CommonContainer.settings, agents)
    documents = providers.Singleton(
        LazyDocuments,
        CommonContainer.settings,
        CommonContainer.engine,
        CommonContainer.sessions,
        CommonContainer.storage,
    )
    document_upkeep = providers.Singleton(
        DocumentUpkeep,
        CommonContainer.sessions,
        providers.Singleton(DocumentCleanupRepository),
        CommonContainer.queue,
        interval=CommonContainer.settings.provided.document_cleanup_interval,
        age=CommonContainer.settings.provided.document_cleanup_delay,
    )
    ports = providers.Singleton(
        WorkerPorts, CommonContainer.settings, mailer, webhook_sender, flow, desk, answers, llm_meter, agents, documents
    )
    event_writer = providers.Singleton(EventWriter, CommonContainer.events)
    dependants = providers.Singleton(
        Dependants,
        CommonContainer.sessions,
        CommonContainer.job_dependencies,
        CommonContainer.hints,
        event_writer.provided.put,
        CommonContainer.job_metrics,
    )
    purger = providers.Singleton(
        Purger,
        CommonContainer.sessions,
        providers.Singleton(RetentionRepository),
        mails,
        CommonContainer.schedules,
        providers.Singleton(UsageRepository),
        CommonContainer.catalog,
        CommonContainer.settings,
    )
    finisher = providers.Singleton(
        Finisher,
        CommonContainer.direct,
        attempts,
        limits,
        CommonContainer.hints,
        event_writer.provided.put,
        dependants,
        worker_metrics,
    )
    runner = providers.Singleton(
        Runner,
        CommonContainer.catalog,
        ports,
        event_writer.provided.put,
        CommonContainer.settings.provided.max_result_bytes,
        worker_metrics,
        CommonContainer.tracer,
    )
    listener = providers.Singleton(token_hex, 8)
    claimer = providers.Singleton(
        Claimer,
        CommonContainer.engine,
        CommonContainer.direct,
        attempts,
        limits,
        CommonContainer.hints,
        CommonContainer.settings.provided.worker_queues,
        CommonContainer.keys.provided.listener_channel.call(listener),
        redelivery=CommonContainer.settings.provided.hint_redelivery,
        poll_interval=CommonContainer.settings.provided.worker_poll_interval,
    )
    engine_worker = providers.Singleton(
        Engine,
        CommonContainer.settings,
        CommonContainer.redis,
        CommonContainer.keys,
        CommonContainer.catalog,
        CommonContainer.direct,
        attempts,
        claimer,
        runner,
        finisher,
        event_writer,
    )
    leader = providers.Singleton(Leader, CommonContainer.lock)
    reconciler = providers.Singleton(
        Reconciler,
        CommonContainer.sessions,
        CommonContainer.direct,
        upkeep,
        CommonContainer.redis,
        CommonContainer.keys,
        CommonContainer.hints,
        event_writer,
        dependants,
        purger,
        paid_calls,
        worker_metrics,
        queues=CommonContainer.settings.provided.worker_queues,
        on_waiting=engine_worker.provided.wake,
        max_crashes=CommonContainer.settings.provided.max_crashes,
        lease=CommonContainer.settings.provided.lease_duration,
    )
    system_schedules = providers.Singleton(
        SystemSchedules,
        CommonContainer.sessions,
        CommonContainer.schedules,
        providers.Singleton(SystemScheduleRepository),
        CommonContainer.catalog,
    )
    owner_notices = providers.Singleton(
        Notices, CommonContainer.queue, providers.Singleton(UserRepository), CommonContainer.settings
    )
    notifier = providers.Singleton(
        Notifier,
        CommonContainer.sessions,
        CommonContainer.notices,
        owner_notices,
        CommonContainer.jobs,
        CommonContainer.announcer,
    )
    scheduler = providers.Singleton(
        Scheduler,
        CommonContainer.sessions,
        CommonContainer.schedules,
        CommonContainer.firings,
        CommonContainer.jobs,
        CommonContainer.announcer,
        owner_notices,
        system_schedules,
        notifier,
        CommonContainer.direct,
        worker_metrics,
        grace=CommonContainer.settings.provided.schedule_grace,
        unknown_kind_grace=CommonContainer.settings.provided.schedule_unknown_kind_grace,
    )
    signals = providers.Singleton(
        SignalListener,
        CommonContainer.listener_redis,
        CommonContainer.keys,
        CommonContainer.settings.provided.worker_queues,
        CommonContainer.redis,
        listener,
        on_wake=engine_worker.provided.wake,
        on_cancel=engine_worker.provided.cancel,
    )
    loop_lag = providers.Singleton(LoopLag)
    status = providers.Singleton(
        WorkerStatus,
        CommonContainer.settings,
        CommonContainer.metrics,
        loop_lag,
        engine_worker,
        signals,
        event_writer,
    )

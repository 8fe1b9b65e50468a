"""The port `Agents`: takes threads, runs flows, forks and forgets. Heavy to import: only `worker.ports` does, late."""

from datetime import timedelta
from uuid import UUID

from common.agents import AgentAnswer, AgentListener, AgentRequest, AgentsCleaned
from common.database.direct import DirectPool
from common.database.session import Sessions
from common.errors import PermanentError, Snooze
from common.ports import CallOrigin
from common.repository.run_so_far import RunSoFar, RunSoFarRepository
from common.repository.thread_cleanup import ThreadCleanupRepository
from common.repository.thread_run import TakenThread, ThreadRunRepository
from worker.agent.budget import Budget
from worker.agent.checkpoint.store import BusyError, OutdatedError
from worker.agent.cleaner import RUN, AgentCleaner
from worker.agent.flow import FlowContext, Judge
from worker.agent.flows import Flows
from worker.agent.port_model import PortChatModel
from worker.agent.scribe import Scribe
from worker.agent.tools import Tools
from worker.agent.turn import Turn
from worker.config import AgentJudge, WorkerSettings
from worker.lazy_agents import AgentPorts

_DEFAULT_FLOW = "example"
_LOOK_AGAIN = timedelta(seconds=1)


class AgentService:
    """One a process. Every method acts for the attempt that `origin` names."""

    def __init__(
        self, settings: WorkerSettings, sessions: Sessions, direct: DirectPool, threads: ThreadRunRepository
    ) -> None:
        self._sessions = sessions
        self._direct = direct
        self._threads = threads
        self._flows = Flows(settings)
        self._cleaner = AgentCleaner(
            self._flows, sessions, ThreadCleanupRepository(), retention=settings.thread_retention
        )
        self._judge = _judge(settings)
        self._runs = RunSoFarRepository()

    async def run(
        self, request: AgentRequest, listener: AgentListener, origin: CallOrigin, ports: AgentPorts
    ) -> AgentAnswer:
        """See `Agents.run`."""
        taken = None if request.thread_id is None else await self._take(request.thread_id, origin)
        opened = await self._flows.get((taken.flow if taken else request.flow) or _DEFAULT_FLOW)
        thread = str(request.thread_id or f"{RUN}{origin.job_id}")
        fence = taken.fence if taken else origin.attempt
        try:
            await opened.store.claim(thread, fence)
        except BusyError as error:
            # Nothing is begun: waiting uses no attempt, however long the other one sleeps.
            raise Snooze(_LOOK_AGAIN, error.code) from error
        known = 0
        if taken is not None:
            known = taken.message_count
            if taken.undo:
                await opened.store.drop_runs(thread, [str(job_id) for job_id in taken.undo])
                known = await self._undo(taken, origin)
        scribe = Scribe(request, listener, origin, taken, known, self._threads, self._direct)
        before = RunSoFar() if origin.attempt <= 1 else await self._runs.read(self._direct, origin)
        budget = Budget(request.limits, origin.spent, before)
        context = self._context(request, origin, ports, taken, budget)
        answer = await Turn(opened, request, context, scribe, str(origin.job_id), thread, fence).run()
        if taken is None:
            await opened.store.forget(thread, is_final=False)
        return answer

    async def fork(self, source_id: UUID, checkpoint_id: UUID, thread_id: UUID, origin: CallOrigin) -> None:
        """See `Agents.fork`."""
        taken = await self._take(thread_id, origin)
        opened = await self._flows.get(taken.flow)
        await opened.store.claim(str(thread_id), taken.fence)
        if not await opened.store.copy(str(source_id), str(checkpoint_id), str(thread_id)):
            raise PermanentError(f"checkpoint {checkpoint_id} is gone")

    async def forget(self, thread_id: UUID, flow: str) -> None:
        """See `Agents.forget`."""
        opened = await self._flows.get(flow)
        await opened.store.forget(str(thread_id), is_final=True)

    async def clean(self, *, expire: bool) -> AgentsCleaned:
        """See `Agents.clean`."""
        return await self._cleaner.clean(expire=expire)

    async def aclose(self) -> None:
        """Close the checkpoints."""
        await self._flows.aclose()

    async def _take(self, thread_id: UUID, origin: CallOrigin) -> TakenThread:
        try:
            async with self._sessions.begin() as db:
                taken = await self._threads.take(db, thread_id, origin)
        except LookupError:
            raise PermanentError(f"thread {thread_id} does not exist") from None
        if taken is None:
            raise Snooze(_LOOK_AGAIN, "thread_busy")
        return taken

    async def _undo(self, taken: TakenThread, origin: CallOrigin) -> int:
        left = await self._threads.undo(self._direct, taken, origin)
        if left is None:
            raise OutdatedError(str(taken.id))
        return left

    def _context(
        self, request: AgentRequest, origin: CallOrigin, ports: AgentPorts, taken: TakenThread | None, budget: Budget
    ) -> FlowContext:
        return FlowContext(
            model=PortChatModel(port=ports.chat, budget=budget, model_name=request.model),
            tools=Tools(budget, ports.journal, ports.retriever),
            budget=budget,
            judge=self._judge,
            run_id=f"{origin.job_id}.{budget.round}" if budget.round else str(origin.job_id),
            collection_id=request.collection_id or (taken.collection_id if taken else None),
        )


def _judge(settings: WorkerSettings) -> Judge:
    match settings.agent_judge:
        case AgentJudge.AUTO:
            is_hosted = bool(settings.openai_api_key or settings.openai_base_url)
            return Judge.MODEL if is_hosted else Judge.SCORE
        case chosen:
            return Judge(str(chosen))

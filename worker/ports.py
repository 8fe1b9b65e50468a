"""The ports that handlers get, each built at first use so that light jobs never pay for heavy libraries."""

import asyncio
import importlib
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING

from common.ports import CallOrigin, ChatChunk, ChatRequest
from worker.config import WorkerSettings
from worker.document.lazy import BoundDocuments, BoundRetriever, LazyDocuments
from worker.embedding.bound import BoundEmbeddings
from worker.embedding.manager import EmbeddingManager
from worker.lazy_agents import BoundAgents, LazyAgents
from worker.llm.cache import AnswerCache
from worker.llm.desk import CallDesk
from worker.llm.flow import FlowControl
from worker.llm.gateway import ChatGateway, ChatParts
from worker.llm.journal import AttemptJournal
from worker.llm.meter import LlmMeter
from worker.llm.registry import ModelRegistry
from worker.mailer import SmtpMailer
from worker.webhook.sender import WebhookSender

if TYPE_CHECKING:
    from worker.llm_manager import LLMManager


class LazyChat:
    """A `ChatModel` that imports and builds the real one, in a thread, when the first call comes."""

    def __init__(self, settings: WorkerSettings) -> None:
        self._settings = settings
        self._manager: LLMManager | None = None
        self._building = asyncio.Lock()

    async def get(self) -> "LLMManager":
        """The one manager of this process; the first caller waits about two seconds for the import."""
        async with self._building:
            if self._manager is None:
                self._manager = await asyncio.to_thread(_build_llm_manager, self._settings)
        return self._manager

    async def stream(self, request: ChatRequest) -> AsyncGenerator[ChatChunk, None]:
        """See `ChatModel.stream`."""
        manager = await self.get()
        async with aclosing(manager.stream(request)) as chunks:
            async for chunk in chunks:
                yield chunk

    async def aclose(self) -> None:
        """Close the manager if it was ever built."""
        if self._manager is not None:
            await self._manager.aclose()


class WorkerPorts:
    """What is shared by all attempts of this process. Implements `common.ports.PortSource`."""

    def __init__(
        self,
        settings: WorkerSettings,
        mail: SmtpMailer,
        webhooks: WebhookSender,
        flow: FlowControl,
        desk: CallDesk,
        cache: AnswerCache,
        meter: LlmMeter,
        agents: LazyAgents,
        documents: LazyDocuments,
    ) -> None:
        self.patience = settings.llm_limit_patience
        self.flow = flow
        self.agents = agents
        self.chat = LazyChat(settings)
        self.paid = ChatParts(ModelRegistry(settings), self.chat.get, desk, cache, meter)
        self.embeddings = EmbeddingManager(settings, flow)
        self.mail = mail
        self.webhooks = webhooks
        self.documents = documents

    def bind(self, origin: CallOrigin) -> "BoundPorts":
        """See `PortSource.bind`."""
        return BoundPorts(self, origin)

    async def warm_up(self) -> None:
        """Load what the first job would otherwise wait for. Safe to cancel and to call again."""
        await self.chat.get()

    async def aclose(self) -> None:
        """Release what was built."""
        await self.agents.aclose()
        await self.chat.aclose()
        await self.embeddings.aclose()
        await self.flow.aclose()
        await self.documents.aclose()
        await self.mail.aclose()


class BoundPorts:
    """The ports of one attempt. Implements `common.ports.Ports`."""

    __slots__ = ("_journal", "_origin", "_shared")

    def __init__(self, shared: WorkerPorts, origin: CallOrigin) -> None:
        self._shared = shared
        self._origin = origin
        self._journal: AttemptJournal | None = None

    @property
    def chat(self) -> ChatGateway:
        """The chat models."""
        return ChatGateway(self._shared.paid, self._origin, self.journal)

    @property
    def embeddings(self) -> BoundEmbeddings:
        """The models that turn texts into vectors."""
        shared = self._shared
        paid = shared.paid
        return BoundEmbeddings(
            shared.embeddings, paid.desk, shared.flow, paid.meter, self._origin, self.journal, shared.patience
        )

    @property
    def retriever(self) -> BoundRetriever:
        """The collections of the job's owner, to read."""
        return BoundRetriever(self._shared.documents, self.embeddings, self._origin)

    @property
    def documents(self) -> BoundDocuments:
        """Documents, to write."""
        return BoundDocuments(self._shared.documents, self.embeddings, self._origin)

    @property
    def mail(self) -> SmtpMailer:
        """The way to send mails."""
        return self._shared.mail

    @property
    def webhooks(self) -> WebhookSender:
        """The way to call endpoints of users."""
        return self._shared.webhooks

    @property
    def journal(self) -> AttemptJournal:
        """What this job has paid for."""
        if self._journal is None:
            self._journal = AttemptJournal(self._shared.paid.desk.ledger, self._origin)
        return self._journal

    @property
    def agents(self) -> BoundAgents:
        """The flows."""
        return self._shared.agents.bind(self._origin, self)


def _build_llm_manager(settings: WorkerSettings) -> "LLMManager":
    # The one import by name: at the top of this file it would cost every worker two seconds and 100 MB.
    manager: LLMManager = importlib.import_module("worker.llm_manager").LLMManager(settings)
    return manager

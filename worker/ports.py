"""The ports that handlers get, each built at first use so that light jobs never pay for heavy libraries."""

import asyncio
import importlib
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING

from common.ports import ChatChunk, ChatRequest
from worker.config import WorkerSettings
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
    """Implements `common.ports.Ports`."""

    def __init__(self, settings: WorkerSettings, mail: SmtpMailer, webhooks: WebhookSender) -> None:
        self._chat = LazyChat(settings)
        self._mail = mail
        self._webhooks = webhooks

    @property
    def chat(self) -> LazyChat:
        """The chat models."""
        return self._chat

    @property
    def mail(self) -> SmtpMailer:
        """The way to send mails."""
        return self._mail

    @property
    def webhooks(self) -> WebhookSender:
        """The way to call endpoints of users."""
        return self._webhooks

    async def warm_up(self) -> None:
        """Load what the first job would otherwise wait for. Safe to cancel and to call again."""
        await self._chat.get()

    async def aclose(self) -> None:
        """Release what was built."""
        await self._chat.aclose()
        await self._mail.aclose()


def _build_llm_manager(settings: WorkerSettings) -> "LLMManager":
    # The one import by name: at the top of this file it would cost every worker two seconds and 100 MB.
    manager: LLMManager = importlib.import_module("worker.llm_manager").LLMManager(settings)
    return manager

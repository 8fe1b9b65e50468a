"""What a job handler may ask for. `worker/` implements these; tests fake them; nothing else is faked."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from math import inf
from typing import TYPE_CHECKING, Any, Literal, Protocol
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from common.documents.ports import DocumentStore
from common.documents.ports import Passage as Passage
from common.documents.ports import Retriever as Retriever

if TYPE_CHECKING:
    from common.agents import Agents

Role = Literal["system", "user", "assistant", "tool"]
FinishReason = Literal["stop", "length", "tool_calls", "content_filter"]


@dataclass(slots=True)
class CallTally:
    """What the calls of models of one attempt have come to so far. Cost in US dollars."""

    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class CallOrigin:
    """On whose behalf a port is called: one attempt of one job. `ends_at` is on this process's monotonic clock.

    `spent` is what its calls come to, as they end.
    """

    job_id: UUID
    attempt: int
    tenant_id: UUID
    owner_id: UUID
    request_id: str | None = None
    ends_at: float = inf
    spent: CallTally = field(default_factory=CallTally, compare=False)


class ToolCall(BaseModel):
    """A call of a tool that a model asks for; `arguments` is the JSON text as the model wrote it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(min_length=1)
    name: str = Field(min_length=1)
    arguments: str


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """A tool that a model may call; `parameters` is a JSON schema, which a `strict` provider enforces."""

    name: str
    description: str
    parameters: Mapping[str, Any]
    strict: bool | None = None


class ChatMessage(BaseModel):
    """One turn of a conversation. A turn of role `tool` answers the call `tool_call_id`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    role: Role
    content: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None


class Usage(BaseModel):
    """Tokens that a call consumed, as the provider counted them."""

    input_tokens: int = Field(0, ge=0)
    output_tokens: int = Field(0, ge=0)
    total_tokens: int = Field(0, ge=0)
    cached_tokens: int = Field(0, ge=0, description="Of the input, what the provider had read before.")


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """One call to a chat model; `model=None` means the default one.

    `tool_choice` is `auto`, `none`, `required` or the name of a tool. `response_schema` is the JSON schema that the
    answer must follow, told to the provider as `response_name`; `is_json` asks for any JSON object. `options` are
    further parameters, passed as they are. `may_cache`: whether an equal earlier answer will do, where the cache is
    on; None leaves it to the temperature (only 0). `step` names the call within its job for the
    journal of paid calls: a retry that comes to the same step with the same input gets the answer that was paid for.
    Left out, the calls of a job are told apart by their input and by their order.
    """

    messages: Sequence[ChatMessage]
    model: str | None = None
    temperature: float | None = None
    max_tokens: int | None = None
    stream: bool = True
    tools: Sequence[ToolSpec] = ()
    tool_choice: str | None = None
    response_schema: Mapping[str, Any] | None = None
    response_name: str = "answer"
    response_strict: bool | None = None
    is_json: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)
    may_cache: bool | None = None
    step: str | None = None


@dataclass(frozen=True, slots=True)
class ChatChunk:
    """A piece of an answer. The last carries `finish_reason` and whole `tool_calls`; `usage` comes then or later."""

    text: str = ""
    model: str | None = None
    finish_reason: FinishReason | None = None
    usage: Usage | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    is_cached: bool = False  # said at the end: an equal answer was at hand
    is_replayed: bool = False  # said at the end: an earlier attempt got it

    @property
    def is_text_only(self) -> bool:
        """Whether it says nothing of the answer but a piece of its text."""
        return self.model is None and self.finish_reason is None and self.usage is None and not self.tool_calls


class ChatModel(Protocol):
    """A conversation model."""

    def stream(self, request: ChatRequest) -> AsyncGenerator[ChatChunk, None]:
        """The answer in pieces.

        Raises `Snooze` (a limit, a budget or a cooling model makes it wait), `TransientError` (worth another attempt,
        also when the stream ends without a finish reason) or `PermanentError` (a request the provider refuses).
        Closing the generator (`contextlib.aclosing`) stops the call.
        """
        ...


@dataclass(frozen=True, slots=True)
class EmbedRequest:
    """Texts to turn into vectors; `model=None` means the default embedding model. `step`: see `ChatRequest`."""

    texts: Sequence[str]
    model: str | None = None
    step: str | None = None


@dataclass(frozen=True, slots=True)
class Embeddings:
    """One vector of `dimension` numbers for each text, in order, and the id of the model that made them."""

    vectors: Sequence[Sequence[float]]
    model: str
    dimension: int
    usage: Usage | None = None


class EmbeddingModel(Protocol):
    """A model that turns texts into vectors."""

    async def embed(self, request: EmbedRequest) -> Embeddings:
        """The vectors of `request.texts`. Texts of several jobs travel to the provider together.

        Raises as `ChatModel.stream` does.
        """
        ...

    async def identity(self, model: str | None = None) -> tuple[str, int]:
        """The id and the dimension that vectors of `model` have, without a paid call where it is known."""
        ...


@dataclass(frozen=True, slots=True)
class MailAttachment:
    """A file that travels with a mail: its content, or the result of a job or a document of the mail's owner."""

    filename: str
    content_type: str
    content: bytes | None = None
    job_id: UUID | None = None
    document_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class OutgoingMail:
    """One mail of one job. Either worded (`subject` with `text` or `html`), or a `template` with its `variables`.

    `sealed` holds more variables, as `common.mail.sealing` wrote them.

    `id` and `attempt` are the job's. `may_repeat`: send again when nobody knows whether an attempt has sent it.
    """

    id: UUID
    attempt: int
    tenant_id: UUID
    owner_id: UUID
    to: str
    subject: str | None = None
    text: str | None = None
    html: str | None = None
    template: str | None = None
    variables: Mapping[str, Any] = field(default_factory=dict)
    sealed: str | None = None
    locale: str | None = None
    reply_to: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    attachments: Sequence[MailAttachment] = ()
    may_repeat: bool = False


@dataclass(frozen=True, slots=True)
class MailReceipt:
    """The id under which a mail server took a mail, and its words."""

    message_id: str
    response: str


class Mailer(Protocol):
    """A way to send mails."""

    async def send(self, mail: OutgoingMail) -> MailReceipt:
        """Send a mail that this job has not sent yet; answer as before when it has.

        Raises `TransientError` (not sent, worth another attempt) or `PermanentError` (refused for good, or nobody
        knows whether it was sent).
        """
        ...


class WebhookSender(Protocol):
    """A way to call the endpoints of users."""

    async def deliver(self, delivery_id: UUID, attempt: int) -> int:
        """Make one call and keep its record; returns the status code of a receiver that took the message.

        Raises `TransientError` with the time of the next call, or `PermanentError` when none follows.
        """
        ...


class Journal(Protocol):
    """What this job has paid for: a retry gets the answer that was kept instead of asking, and paying, again."""

    async def once(self, step: str, request: JsonValue, call: Callable[[], Awaitable[JsonValue]]) -> Any:
        """What `call` returns, kept under (`step`, `request`); an attempt that comes here again gets what was kept.

        Equal calls of one step are told apart by their order. What `call` raises is passed on and not kept. `request`
        is only remembered as a hash. A worker that dies between the end of `call` and the write has the call made
        once more. Raises `PermanentError` for a result that cannot be stored and `TransientError` when another
        attempt has taken over.
        """
        ...


class Ports(Protocol):
    """Everything a handler reaches beyond its payload, bound to its attempt; each is built at first use."""

    @property
    def chat(self) -> ChatModel: ...

    @property
    def embeddings(self) -> EmbeddingModel: ...

    @property
    def retriever(self) -> Retriever: ...

    @property
    def documents(self) -> DocumentStore: ...

    @property
    def mail(self) -> Mailer: ...

    @property
    def webhooks(self) -> WebhookSender: ...

    @property
    def journal(self) -> Journal: ...

    @property
    def agents(self) -> "Agents": ...


class PortSource(Protocol):
    """The ports of a worker, before it is known who calls."""

    def bind(self, origin: CallOrigin) -> Ports:
        """The ports for one attempt. Cheap: it is called for each."""
        ...

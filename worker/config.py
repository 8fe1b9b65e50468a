"""Settings of the workers. Built once in `main.py` and passed down."""

from datetime import timedelta
from enum import StrEnum
from typing import Annotated, ClassVar, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, model_validator
from pydantic_settings import NoDecode

from common.config import CommonSettings, Duration, OptionalPath, OptionalSecret, OptionalText, none_if_empty
from common.mail.templates import MailLocale
from worker.llm.card import CardBox, ModelCard
from worker.llm.keys import read_key
from worker.mail.message import parse_sender
from worker.mail.server import SmtpSecurity, parse_smtp_url


def _http_url(value: str | None) -> str | None:
    if value is not None and not value.startswith(("http://", "https://")):
        raise ValueError("must start with http:// or https://")
    return value


def _header_value(value: SecretStr | None) -> SecretStr | None:
    secret = value.get_secret_value().strip() if value else ""
    if not (secret.isascii() and secret.isprintable()):
        raise ValueError("holds characters that an HTTP header cannot carry")
    return SecretStr(secret) if secret else None


def _split(value: object) -> object:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


def _mail_sender(value: str) -> str:
    parse_sender(value)
    return value


Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]
OptionalHttpUrl = Annotated[OptionalText, AfterValidator(_http_url)]
OptionalKey = Annotated[OptionalSecret, AfterValidator(_header_value)]
OptionalCount = Annotated[Annotated[int, Field(ge=1)] | None, BeforeValidator(none_if_empty)]


_WEBHOOK_SCHEDULE = tuple(
    timedelta(seconds=seconds) for seconds in (5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)
)


class AgentJudge(StrEnum):
    """Who decides between the steps of an agent; `auto` is the model where OPENAI_* names one, else the scores."""

    AUTO = "auto"
    MODEL = "model"
    SCORE = "score"


class CheckpointBackend(StrEnum):
    """Where agents keep their checkpoints."""

    SQLITE = "sqlite"
    POSTGRES = "postgres"


class WorkerSettings(CommonSettings):
    """What only the workers need. Every field is the environment variable of the same name in capitals."""

    service: ClassVar[str] = "letuin-worker"

    letuin_worker_id: UUID | None = None
    worker_queues: Names = Field(("default", "email", "agent", "llm", "documents"), min_length=1)
    worker_concurrency: int = Field(20, ge=1, le=10_000)
    worker_drain_grace: Duration = Field(timedelta(seconds=25), ge=timedelta(0))
    worker_poll_interval: Duration = Field(timedelta(seconds=1), gt=timedelta(0))
    hint_redelivery: Duration = Field(timedelta(seconds=5), gt=timedelta(0))
    max_crashes: int = Field(3, ge=1)
    purge_interval: Duration = Field(timedelta(seconds=10), gt=timedelta(0))
    warm_up: bool = True
    worker_http_host: str = "127.0.0.1"
    worker_http_port: Annotated[Annotated[int, Field(ge=0, le=65535)] | None, BeforeValidator(none_if_empty)] = None
    worker_max_loop_lag: Duration = Field(timedelta(seconds=30), gt=timedelta(0))

    openai_api_key: OptionalKey = None
    openai_base_url: OptionalHttpUrl = None
    local_model_url: OptionalHttpUrl = None
    local_model_name: str = Field("smollm2-135m-instruct", min_length=1)
    default_model: OptionalText = None
    llm_connect_timeout: Duration = Field(timedelta(seconds=10), gt=timedelta(0))
    llm_first_piece_timeout: Duration = Field(timedelta(minutes=2), gt=timedelta(0))
    llm_idle_timeout: Duration = Field(timedelta(seconds=30), gt=timedelta(0))
    llm_max_answer_bytes: int = Field(512 * 1024, ge=1024)

    llm_requests_per_minute: int = Field(0, ge=0)
    llm_tokens_per_minute: int = Field(0, ge=0)
    llm_concurrency: int = Field(0, ge=0)
    llm_tenant_requests_per_minute: int = Field(0, ge=0)
    llm_tenant_tokens_per_minute: int = Field(0, ge=0)
    llm_tenant_concurrency: int = Field(0, ge=0)
    llm_limit_patience: Duration = Field(timedelta(seconds=1), ge=timedelta(0))
    llm_limits_without_redis: Literal["open", "closed"] = "open"

    llm_models: tuple[ModelCard, ...] = ()
    llm_fallbacks: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    llm_over_budget: Literal["wait", "fail"] = "wait"
    llm_cache_lifetime: Duration = Field(timedelta(0), ge=timedelta(0), le=timedelta(days=30))
    llm_cooldown: Duration = Field(timedelta(seconds=15), gt=timedelta(0), le=timedelta(hours=1))
    llm_cooldown_patience: Duration = Field(timedelta(hours=1), ge=timedelta(0), le=timedelta(days=7))
    llm_cooldown_after: int = Field(3, ge=1)
    usage_retention: Duration = Field(timedelta(days=400), gt=timedelta(0))

    embedding_model: OptionalText = None
    embedding_dimensions: OptionalCount = None
    embedding_max_texts: int = Field(2048, ge=1)
    embedding_batch_size: int = Field(128, ge=1, le=2048)
    embedding_batch_tokens: int = Field(100_000, ge=1)
    embedding_batch_wait: Duration = Field(timedelta(milliseconds=5), ge=timedelta(0), le=timedelta(milliseconds=10))
    embedding_timeout: Duration = Field(timedelta(seconds=60), gt=timedelta(0))

    agent_judge: AgentJudge = AgentJudge.AUTO
    thread_retention: Duration = Field(timedelta(0), ge=timedelta(0))
    agent_checkpoints: CheckpointBackend = CheckpointBackend.SQLITE
    agent_cleanup_interval: Duration = Field(timedelta(hours=1), gt=timedelta(0))

    chroma_prefix: str = Field("letuin", pattern=r"^[a-z0-9][a-z0-9-]{0,30}$")
    document_passage_size: int = Field(500, ge=50, le=8000)
    document_passage_overlap: int = Field(60, ge=0, le=4000)
    document_read_timeout: Duration = Field(timedelta(minutes=2), gt=timedelta(0), le=timedelta(minutes=50))
    document_max_memory_bytes: int = Field(1024**3, ge=256 * 1024**2)
    document_max_unpacked_bytes: int = Field(200 * 1024**2, ge=1024**2)
    document_max_characters: int = Field(5_000_000, ge=1000)
    document_cleanup_delay: Duration = Field(timedelta(minutes=2), ge=timedelta(0))
    document_cleanup_interval: Duration = Field(timedelta(seconds=10), gt=timedelta(0))
    document_stray_age: Duration = Field(timedelta(days=1), ge=timedelta(0))

    schedule_grace: Duration = Field(timedelta(seconds=60), gt=timedelta(0))
    schedule_unknown_kind_grace: Duration = Field(timedelta(minutes=5), ge=timedelta(0))
    firing_retention: Duration = Field(timedelta(days=30), gt=timedelta(0))

    smtp_security: SmtpSecurity = SmtpSecurity.AUTO
    smtp_ca_file: OptionalPath = None
    smtp_connections: int = Field(2, ge=1, le=100)
    smtp_announced_ahead: int = Field(64, ge=1, le=10_000)
    smtp_timeout: Duration = Field(timedelta(seconds=30), gt=timedelta(0), le=timedelta(minutes=4))
    smtp_idle_timeout: Duration = Field(timedelta(seconds=30), ge=timedelta(0))
    mail_from: Annotated[str, AfterValidator(_mail_sender)] = "Letuin <letuin@localhost>"
    mail_locale: MailLocale = MailLocale.EN
    mail_max_bytes: int = Field(1024 * 1024, ge=1024)
    mail_max_per_hour: int = Field(200, ge=0)
    mail_max_per_minute: int = Field(0, ge=0)
    mail_recipient_domains: Names = ()
    mail_retention: Duration = Field(timedelta(days=30), gt=timedelta(0))

    webhook_timeout: Duration = Field(timedelta(seconds=15), gt=timedelta(0), le=timedelta(seconds=60))
    webhook_schedule: Annotated[tuple[Duration, ...], NoDecode, BeforeValidator(_split)] = _WEBHOOK_SCHEDULE
    webhook_interval: Duration = Field(timedelta(seconds=1), gt=timedelta(0))
    webhook_progress_interval: Duration = Field(timedelta(seconds=5), ge=timedelta(0), le=timedelta(hours=1))
    webhook_retention: Duration = Field(timedelta(days=30), gt=timedelta(0))

    @model_validator(mode="after")
    def _models_can_be_used(self) -> Self:
        names = [card.name.lower() for card in self.llm_models]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"LLM_MODELS names {', '.join(twice)} twice")
        for card in self.llm_models:
            if card.api_key is not None:
                try:
                    read_key(card.api_key)
                except ValueError as error:
                    raise ValueError(f"LLM_MODELS, {card.name}: {error}") from None
        cards = CardBox(self.llm_models)
        cards.check_embeddings()
        # Behind OPENAI_BASE_URL there are models that only the provider knows.
        cards.check_fallbacks(self.llm_fallbacks, None if self.openai_base_url else {self.local_model_name})
        return self

    @model_validator(mode="after")
    def _passages_overlap_in_part(self) -> Self:
        if self.document_passage_overlap * 2 > self.document_passage_size:
            raise ValueError("DOCUMENT_PASSAGE_OVERLAP must be at most half of DOCUMENT_PASSAGE_SIZE")
        return self

    @model_validator(mode="after")
    def _mail_server_can_be_used(self) -> Self:
        if self.smtp_url is not None:
            try:
                parse_smtp_url(self.smtp_url.get_secret_value(), self.smtp_security)
            except ValueError as error:
                raise ValueError(f"SMTP_URL {error}") from None
        return self

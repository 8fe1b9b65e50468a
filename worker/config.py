"""Settings of the workers. Built once in `main.py` and passed down."""

from datetime import timedelta
from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr
from pydantic_settings import NoDecode

from common.config import CommonSettings, Duration, OptionalSecret, OptionalText


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


Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]
OptionalHttpUrl = Annotated[OptionalText, AfterValidator(_http_url)]
OptionalKey = Annotated[OptionalSecret, AfterValidator(_header_value)]


class WorkerSettings(CommonSettings):
    """What only the workers need. Every field is the environment variable of the same name in capitals."""

    letuin_worker_id: UUID | None = None
    worker_queues: Names = Field(("default", "email", "agent", "llm"), min_length=1)
    worker_concurrency: int = Field(20, ge=1, le=10_000)
    worker_drain_grace: Duration = Field(timedelta(seconds=25), ge=timedelta(0))
    worker_poll_interval: Duration = Field(timedelta(seconds=1), gt=timedelta(0))
    hint_redelivery: Duration = Field(timedelta(seconds=5), gt=timedelta(0))
    max_crashes: int = Field(3, ge=1)
    purge_interval: Duration = Field(timedelta(seconds=10), gt=timedelta(0))
    warm_up: bool = True

    openai_api_key: OptionalKey = None
    openai_base_url: OptionalHttpUrl = None
    local_model_url: OptionalHttpUrl = None
    local_model_name: str = Field("smollm2-135m-instruct", min_length=1)
    default_model: OptionalText = None
    llm_connect_timeout: Duration = Field(timedelta(seconds=10), gt=timedelta(0))
    llm_first_piece_timeout: Duration = Field(timedelta(minutes=2), gt=timedelta(0))
    llm_idle_timeout: Duration = Field(timedelta(seconds=30), gt=timedelta(0))
    llm_max_answer_bytes: int = Field(512 * 1024, ge=1024)

"""Settings that the api and the workers share. Built once in `main.py` and passed down."""

from datetime import timedelta
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from common.database.tls import tls_arguments, without_tls
from common.hosts import is_open_store
from common.storage.place import StoragePlace

_ALIASES = {"dev": "development", "local": "development", "stage": "staging", "prod": "production"}
_MIN_DIFFERENT_CHARACTERS = 8
_PLACEHOLDERS = ("change", "your-", "example", "secret-token-here", "placeholder")


class Environment(StrEnum):
    """Where the process runs. Anything unknown is refused, so a typo never opens the door."""

    DEVELOPMENT = "development"
    TEST = "test"
    STAGING = "staging"
    PRODUCTION = "production"

    @property
    def is_open(self) -> bool:
        """True where a request without a token may act as the built-in local user."""
        return self in (Environment.DEVELOPMENT, Environment.TEST)


def _parse_environment(value: object) -> object:
    if not isinstance(value, str):
        return value
    name = value.strip().lower()
    return _ALIASES.get(name, name)


def none_if_empty(value: object) -> object:
    """`LOG_FILE_PATH=None` and an empty variable both mean "not set"."""
    return None if isinstance(value, str) and value.strip().lower() in ("", "none", "null") else value


def _parse_seconds(value: object) -> object:
    """A bare number is seconds; everything else is left to pydantic (ISO 8601, `HH:MM:SS`)."""
    if not isinstance(value, str):
        return value
    try:
        return float(value)
    except ValueError:
        return value


Duration = Annotated[timedelta, BeforeValidator(_parse_seconds)]
OptionalPath = Annotated[Path | None, BeforeValidator(none_if_empty)]
OptionalSecret = Annotated[SecretStr | None, BeforeValidator(none_if_empty)]
OptionalText = Annotated[str | None, BeforeValidator(none_if_empty)]


def _split_list(value: object) -> object:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


def _storage_url(value: str | None) -> str | None:
    if value is not None:
        StoragePlace.parse(value)
    return value


def _http_url(value: str | None) -> str | None:
    if value is not None and not value.startswith(("http://", "https://")):
        raise ValueError("must start with http:// or https://")
    return value


Networks = Annotated[tuple[IPv4Network | IPv6Network, ...], NoDecode, BeforeValidator(_split_list)]


class CommonSettings(BaseSettings):
    """What both processes need. Every field is the environment variable of the same name in capitals.

    `service` is how the process is called in traces.
    """

    service: ClassVar[str] = "letuin"
    model_config = SettingsConfigDict(
        env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True, hide_input_in_errors=True
    )

    environment: Annotated[Environment, BeforeValidator(_parse_environment)] = Environment.PRODUCTION
    data_dir: Path = Path("data")
    encryption_key: OptionalSecret = None
    encryption_previous_key: OptionalSecret = None
    letuin_commit: OptionalText = None

    database_url: SecretStr = SecretStr("postgresql://letuin@127.0.0.1:5432/letuin")
    database_pool_size: int = Field(10, ge=1, le=200)
    database_direct_pool_size: int = Field(4, ge=1, le=200)
    database_pool_timeout: Duration = timedelta(seconds=2)
    database_connect_timeout: Duration = timedelta(seconds=5)
    database_command_timeout: Duration = timedelta(seconds=30)
    redis_url: SecretStr = SecretStr("redis://127.0.0.1:6379/0")
    redis_connect_timeout: Duration = timedelta(milliseconds=250)
    redis_timeout: Duration = timedelta(milliseconds=500)
    redis_announce_timeout: Duration = timedelta(milliseconds=250)
    mongodb_url: OptionalSecret = None
    llm_call_log: bool = False
    llm_call_log_retention: Duration = Field(timedelta(days=30), ge=timedelta(minutes=1), le=timedelta(days=3650))
    allow_stores_without_password: bool = False
    chroma_url: OptionalText = None
    chroma_token: OptionalSecret = None
    allow_chroma_without_token: bool = False
    smtp_url: OptionalSecret = None

    storage_url: Annotated[OptionalText, AfterValidator(_storage_url)] = None
    s3_endpoint_url: Annotated[OptionalText, AfterValidator(_http_url)] = None
    s3_region: str = Field("us-east-1", min_length=1)
    s3_access_key_id: OptionalSecret = None
    s3_secret_access_key: OptionalSecret = None

    log_level: Literal["TRACE", "DEBUG", "INFO", "SUCCESS", "WARNING", "ERROR", "CRITICAL"] | None = None
    log_format: Literal["console", "json"] | None = None
    log_file_path: OptionalPath = None
    log_rotation: str = "100 MB"
    log_retention: str = "30 days"
    log_compression: OptionalText = "gz"

    password_min_length: int = Field(8, ge=8, le=64)
    password_max_length: int = Field(128, ge=64, le=1024)

    max_payload_bytes: int = Field(256 * 1024, ge=1024)
    max_running_per_owner: int = Field(0, ge=0)
    max_result_bytes: int = Field(1024 * 1024, ge=1024)
    result_inline_bytes: int = Field(64 * 1024, ge=0)
    max_batch_items: int = Field(1000, ge=1, le=10_000)
    max_bulk_jobs: int = Field(1000, ge=1, le=10_000)
    max_dependencies: int = Field(100, ge=1, le=10_000)
    max_queue_depth: int = Field(1_000_000, ge=0)
    max_owner_queue_depth: int = Field(100_000, ge=0)
    idempotency_retention: Duration = Field(timedelta(hours=24), gt=timedelta(0))
    idempotency_wait: Duration = Field(timedelta(seconds=2), gt=timedelta(0))
    idempotency_release_failed: bool = False
    purged_id_retention: Duration = Field(timedelta(days=7), ge=timedelta(0))
    event_log_max_events: int = Field(10_000, ge=10)
    event_log_max_bytes: int = Field(8 * 1024 * 1024, ge=64 * 1024)
    event_log_retention: Duration = timedelta(hours=1)
    user_log_max_events: int = Field(1000, ge=10)
    schedule_min_interval: Duration = Field(timedelta(seconds=60), ge=timedelta(seconds=1))
    max_schedules_per_owner: int = Field(100, ge=0)
    max_backfill: int = Field(1000, ge=1, le=10_000)
    webhook_private_networks: Networks = ()
    lease_duration: Duration = timedelta(seconds=15)
    heartbeat_interval: Duration = timedelta(seconds=5)

    @field_validator("log_level", mode="before")
    @classmethod
    def _upper(cls, value: object) -> object:
        return value.strip().upper() or None if isinstance(value, str) else value

    @model_validator(mode="after")
    def _lease_outlives_heartbeats(self) -> Self:
        if self.lease_duration < 3 * self.heartbeat_interval:
            raise ValueError("LEASE_DURATION must be at least three times HEARTBEAT_INTERVAL")
        return self

    @model_validator(mode="after")
    def _encryption_keys_are_strong(self) -> Self:
        for name in ("encryption_key", "encryption_previous_key"):
            if (key := getattr(self, name)) is not None:
                refuse_placeholder(name.upper(), key, min_length=32)
        if self.encryption_previous_key is not None and self.encryption_key is None:
            raise ValueError("ENCRYPTION_PREVIOUS_KEY needs an ENCRYPTION_KEY that took its place")
        return self

    @model_validator(mode="after")
    def _database_tls_can_be_used(self) -> Self:
        try:
            tls_arguments(self.database_url.get_secret_value())
        except ValueError as error:
            raise ValueError(f"DATABASE_URL: {error}") from None
        except OSError as error:
            raise ValueError(f"DATABASE_URL: a file of its TLS parameters cannot be used ({error.strerror})") from None
        return self

    @model_validator(mode="after")
    def _stores_are_locked(self) -> Self:
        urls = {"DATABASE_URL": self.database_url, "REDIS_URL": self.redis_url, "MONGODB_URL": self.mongodb_url}
        if not self.is_production or self.allow_stores_without_password:
            return self
        for name, url in urls.items():
            if url and is_open_store(url.get_secret_value()):
                raise ValueError(
                    f"{name} names another host and no password; give one, or set ALLOW_STORES_WITHOUT_PASSWORD=true"
                )
        return self

    @model_validator(mode="after")
    def _chroma_is_locked(self) -> Self:
        is_told = self.chroma_token is not None or self.allow_chroma_without_token
        if self.is_production and not is_told and self.chroma_url and is_open_store(self.chroma_url):
            raise ValueError(
                "CHROMA_URL names another host and there is no CHROMA_TOKEN; set the one that the proxy in front of it "
                "asks for, or ALLOW_CHROMA_WITHOUT_TOKEN=true where only workers reach it"
            )
        return self

    @property
    def chroma_headers(self) -> dict[str, str]:
        """What goes with each request to Chroma."""
        return {} if self.chroma_token is None else {"Authorization": f"Bearer {self.chroma_token.get_secret_value()}"}

    @property
    def is_production(self) -> bool:
        return self.environment is Environment.PRODUCTION

    @property
    def async_database_url(self) -> str:
        """DATABASE_URL with the asyncpg driver named, whatever driver the variable names, and nothing about TLS."""
        _, _, rest = without_tls(self.database_url.get_secret_value()).partition("://")
        return f"postgresql+asyncpg://{rest}"


def refuse_placeholder(name: str, value: SecretStr | None, *, min_length: int = 0) -> None:
    """Raise `ValueError` naming the variable when a secret is missing, too short, too regular or an example's text."""
    secret = value.get_secret_value() if value else ""
    if not secret:
        raise ValueError(f"{name} must be set when ENVIRONMENT is production")
    if len(secret.encode()) < min_length:
        raise ValueError(f"{name} must be at least {min_length} bytes long")
    if len(set(secret)) < _MIN_DIFFERENT_CHARACTERS:
        raise ValueError(f"{name} is too easy to guess; make one with `openssl rand -base64 48`")
    if any(word in secret.lower() for word in _PLACEHOLDERS):
        raise ValueError(f"{name} still holds an example value; set a secret of your own")


def settings_error_lines(error: ValidationError) -> list[str]:
    """One line per wrong setting of a pydantic `ValidationError`: the variable and what is wrong, never its value."""
    lines = []
    for item in error.errors(include_input=False, include_url=False):
        name = "_".join(str(part) for part in item["loc"]).upper()
        message = item["msg"].removeprefix("Value error, ")
        lines.append(f"{name}: {message}" if name else message)
    return lines

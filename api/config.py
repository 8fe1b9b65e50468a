"""Settings of the api process: where it listens, who may come in, and how much they may ask for."""

import re
from datetime import timedelta
from ipaddress import ip_network
from typing import Annotated, ClassVar, Literal, Self
from urllib.parse import urlsplit

from pydantic import AwareDatetime, BeforeValidator, Field, field_validator, model_validator
from pydantic_settings import NoDecode

from common.config import CommonSettings, Duration, OptionalSecret, OptionalText, none_if_empty, refuse_placeholder
from common.documents.media import MediaType
from common.hosts import is_loopback

_MIN_SECRET_BYTES = 32
_MIN_ACCESS_TOKEN_BYTES = 16
_ORIGIN_HOST = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:]+\])(?::\d{1,5})?")
_HOST_NAME = re.compile(r"(?:\*\.)?[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*|\[?[0-9A-Fa-f:]+\]?")


def _split_list(value: object) -> object:
    """Comma-separated text as a list."""
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


TextList = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split_list)]
DocsAccess = Literal["public", "token", "off"]
MetricsAccess = Literal["operators", "public", "off"]


class ApiSettings(CommonSettings):
    """What only the api needs. Durations are seconds."""

    service: ClassVar[str] = "letuin-api"

    api_host: str = "127.0.0.1"
    api_port: int = Field(8000, ge=0, le=65535)
    api_processes: int = Field(1, ge=1, le=64)
    api_stop_timeout: Duration = timedelta(seconds=10)
    allow_open_access_from_network: bool = False
    docs_access: DocsAccess | None = None
    metrics_access: MetricsAccess = "operators"
    console_enabled: bool = True
    cors_origins: TextList = ()
    allowed_hosts: TextList = ()
    trusted_proxies: TextList = ()

    access_token: OptionalSecret = None
    jwt_secret: OptionalSecret = None
    jwt_previous_secret: OptionalSecret = None
    jwt_previous_until: Annotated[AwareDatetime | None, BeforeValidator(none_if_empty)] = None
    jwt_issuer: str = "letuin"
    jwt_audience: str = "letuin-api"
    jwt_lifetime: Duration = Field(timedelta(hours=1), gt=timedelta(0), le=timedelta(days=30))

    registration_enabled: Annotated[bool | None, BeforeValidator(none_if_empty)] = None
    account_url: OptionalText = None
    verify_email_lifetime: Duration = Field(timedelta(days=1), ge=timedelta(minutes=1), le=timedelta(days=7))
    reset_password_lifetime: Duration = Field(timedelta(minutes=10), ge=timedelta(minutes=1), le=timedelta(hours=1))
    account_mails_per_hour: int = Field(5, ge=2, le=1000)
    account_reply_time: Duration = Field(timedelta(milliseconds=300), ge=timedelta(0), le=timedelta(seconds=5))
    session_lifetime: Duration = Field(timedelta(days=90), ge=timedelta(minutes=1), le=timedelta(days=366))
    session_idle_lifetime: Duration = Field(timedelta(days=14), ge=timedelta(minutes=1), le=timedelta(days=366))
    max_user_sessions: int = Field(50, ge=1, le=1000)
    refresh_overlap: Duration = Field(timedelta(seconds=10), ge=timedelta(0), le=timedelta(minutes=1))
    login_account_failures: int = Field(10, ge=2, le=1000)
    login_address_failures: int = Field(50, ge=2, le=100_000)
    login_failure_window: Duration = Field(timedelta(minutes=15), ge=timedelta(minutes=1), le=timedelta(days=1))
    login_first_block: Duration = Field(timedelta(seconds=30), ge=timedelta(seconds=1), le=timedelta(hours=1))
    login_last_block: Duration = Field(timedelta(minutes=15), ge=timedelta(seconds=1), le=timedelta(days=1))
    max_waiting_logins: int = Field(50, ge=0, le=10_000)

    max_body_bytes: int = Field(1024 * 1024, ge=1024)
    max_json_depth: int = Field(64, ge=8, le=200)
    max_url_bytes: int = Field(8 * 1024, ge=256, le=64 * 1024)
    max_headers: int = Field(100, ge=20, le=1000)
    max_header_bytes: int = Field(16 * 1024, ge=4096, le=64 * 1024)
    request_timeout: Duration = Field(timedelta(seconds=15), gt=timedelta(0), le=timedelta(minutes=5))
    rate_limit_per_user: int = Field(120_000, ge=0)
    rate_limit_per_address: int = Field(1200, ge=0)
    rate_limit_window: Duration = Field(timedelta(minutes=1), ge=timedelta(seconds=1), le=timedelta(days=1))
    rate_limit_without_redis: Literal["open", "closed"] = "open"
    idempotency_key_required: bool = False
    max_wait: Duration = Field(timedelta(seconds=60), ge=timedelta(0), le=timedelta(minutes=10))
    page_limit: int = Field(50, ge=1)
    max_page_limit: int = Field(200, ge=1, le=1000)
    health_timeout: Duration = Field(timedelta(seconds=1), gt=timedelta(0))

    access_cache_lifetime: Duration = Field(timedelta(seconds=5), ge=timedelta(0), le=timedelta(minutes=1))
    max_api_keys: int = Field(100, ge=1, le=10_000)
    audit_retention: Duration = Field(timedelta(days=365), ge=timedelta(days=1), le=timedelta(days=3650))
    request_log_retention: Duration = Field(timedelta(days=30), ge=timedelta(minutes=1), le=timedelta(days=3650))
    request_log_max_queued: int = Field(10_000, ge=1, le=1_000_000)
    request_log_batch_size: int = Field(200, ge=1, le=1000)
    request_log_flush_interval: Duration = Field(timedelta(seconds=1), gt=timedelta(0), le=timedelta(minutes=1))
    request_log_stop_timeout: Duration = Field(timedelta(seconds=3), ge=timedelta(0), le=timedelta(minutes=1))
    request_log_max_window: Duration = Field(timedelta(days=1), ge=timedelta(minutes=1), le=timedelta(days=366))

    max_collections: int = Field(100, ge=1, le=100_000)
    max_documents: int = Field(10_000, ge=1, le=1_000_000)
    max_document_bytes: int = Field(20 * 1024 * 1024, ge=1024, le=1024**3)
    document_types: Annotated[tuple[MediaType, ...], NoDecode, BeforeValidator(_split_list)] = tuple(MediaType)
    upload_timeout: Duration = Field(timedelta(minutes=5), gt=timedelta(0), le=timedelta(hours=1))
    search_wait: Duration = Field(timedelta(seconds=10), ge=timedelta(0), le=timedelta(minutes=10))

    socketio_polling: bool = False
    max_client_backlog: int = Field(2000, ge=100)
    max_client_subscriptions: int = Field(500, ge=1)
    max_user_clients: int = Field(100, ge=1)
    max_address_clients: int = Field(1000, ge=1)
    max_address_handshakes: int = Field(50, ge=1)
    max_client_requests: int = Field(50, ge=1)
    slow_client_timeout: Duration = Field(timedelta(seconds=30), gt=timedelta(0), le=timedelta(minutes=5))
    max_webhooks: int = Field(20, ge=1, le=1000)
    sse_heartbeat: Duration = Field(timedelta(seconds=5), gt=timedelta(0), le=timedelta(minutes=1))
    token_recheck_interval: Duration = Field(timedelta(seconds=30), gt=timedelta(0), le=timedelta(minutes=1))

    @field_validator("cors_origins")
    @classmethod
    def _are_origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        for origin in origins:
            parts = urlsplit(origin)
            is_host = _ORIGIN_HOST.fullmatch(parts.netloc) is not None
            if parts.scheme not in ("http", "https") or not is_host or parts.path or parts.query:
                raise ValueError("every origin must read http(s)://host[:port]; `*` is not accepted")
        return origins

    @field_validator("allowed_hosts")
    @classmethod
    def _are_host_names(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if not _HOST_NAME.fullmatch(name):
                raise ValueError("every entry must be a host name without port, or *.name for all below it")
        return names

    @field_validator("trusted_proxies")
    @classmethod
    def _are_networks(cls, networks: tuple[str, ...]) -> tuple[str, ...]:
        for network in networks:
            try:
                is_everything = ip_network(network).prefixlen == 0
            except ValueError as error:
                raise ValueError("every entry must be an address or a network like 10.0.0.0/8") from error
            if is_everything:
                raise ValueError(f"{network} would let everybody choose the address that they are known by")
        return networks

    @model_validator(mode="after")
    def _secrets_are_real(self) -> Self:
        if self.is_production:
            refuse_placeholder("JWT_SECRET", self.jwt_secret, min_length=_MIN_SECRET_BYTES)
            refuse_placeholder("ACCESS_TOKEN", self.access_token, min_length=_MIN_ACCESS_TOKEN_BYTES)
            if self.access_token == self.jwt_secret:
                raise ValueError("ACCESS_TOKEN must not be JWT_SECRET: whoever holds the token could sign others")
        elif self.jwt_secret and len(self.jwt_secret.get_secret_value().encode()) < _MIN_SECRET_BYTES:
            raise ValueError(f"JWT_SECRET must be at least {_MIN_SECRET_BYTES} bytes long, or left out to get one made")
        elif self.jwt_secret and not self.environment.is_open:
            refuse_placeholder("JWT_SECRET", self.jwt_secret)
        return self

    @model_validator(mode="after")
    def _previous_secret_ends(self) -> Self:
        if (self.jwt_previous_secret is None) != (self.jwt_previous_until is None):
            raise ValueError("JWT_PREVIOUS_SECRET and JWT_PREVIOUS_UNTIL must be set together")
        if self.jwt_previous_secret is not None:
            refuse_placeholder("JWT_PREVIOUS_SECRET", self.jwt_previous_secret, min_length=_MIN_SECRET_BYTES)
        return self

    @field_validator("account_url")
    @classmethod
    def _is_page(cls, url: str | None) -> str | None:
        parts = urlsplit(url or "http://none")
        if parts.scheme not in ("http", "https") or not parts.netloc or parts.query or parts.fragment:
            raise ValueError("must read http(s)://host[:port][/path], without query and fragment")
        return url.rstrip("/") if url else None

    @model_validator(mode="after")
    def _open_means_local(self) -> Self:
        if self.environment.is_open and not is_loopback(self.api_host) and not self.allow_open_access_from_network:
            raise ValueError(
                f"API_HOST {self.api_host} is reachable from the network, and ENVIRONMENT {self.environment} needs no "
                "token; listen on 127.0.0.1, or set ALLOW_OPEN_ACCESS_FROM_NETWORK=true to let everybody in"
            )
        return self

    @property
    def may_register(self) -> bool:
        """Whether strangers may make themselves an account."""
        return self.environment.is_open if self.registration_enabled is None else self.registration_enabled

    @property
    def docs(self) -> DocsAccess:
        """Who may read the interface's description."""
        return self.docs_access or ("off" if self.is_production else "public")

    @model_validator(mode="after")
    def _polling_has_one_process(self) -> Self:
        if self.socketio_polling and self.api_processes > 1:
            raise ValueError(
                "SOCKETIO_POLLING wants every request of a client at one process; set API_PROCESSES=1, "
                "with several ports behind a balancer with sticky sessions if one is not enough"
            )
        return self

    @model_validator(mode="after")
    def _page_fits(self) -> Self:
        if self.page_limit > self.max_page_limit:
            raise ValueError("PAGE_LIMIT must not be greater than MAX_PAGE_LIMIT")
        return self

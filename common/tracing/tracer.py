"""What the rest of the code knows of tracing, and when there is any. OpenTelemetry itself is loaded late, by name."""

import os
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from enum import StrEnum
from importlib import import_module
from importlib.util import find_spec
from typing import Protocol

from loguru import logger

type Value = str | bool | int | float
type Attributes = Mapping[str, Value]

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_EXPORTERS = ("otlp", "console")


class SpanKind(StrEnum):
    """Which side of a call a span describes."""

    SERVER = "server"
    CLIENT = "client"
    PRODUCER = "producer"
    CONSUMER = "consumer"


class Span(Protocol):
    """Something that takes time. It counts once it was ended."""

    @property
    def traceparent(self) -> str:
        """Its W3C context, for whoever goes on elsewhere."""
        ...

    def set(self, name: str, value: Value) -> None:
        """Say something about it."""
        ...

    def rename(self, name: str) -> None:
        """Give it the name that it could not have at its start."""
        ...

    def fail(self, error_type: str) -> None:
        """It went wrong; `error_type` is short and one of few."""
        ...

    def end(self) -> None:
        """It is over."""
        ...


class Tracer(Protocol):
    """Makes spans. Where there is no tracing there is no tracer, but None."""

    def start(
        self,
        name: str,
        kind: SpanKind,
        attributes: Attributes,
        *,
        parent: str | None = None,
        links: Sequence[str] = (),
        is_root: bool = False,
    ) -> Span:
        """A span below `parent` (a traceparent), else below the current one unless it `is_root`."""
        ...

    def use(self, span: Span) -> AbstractContextManager[None]:
        """Make it the current one inside the block, and end it after it; an exception fails it."""
        ...

    def close(self) -> None:
        """Send what is left. Blocks for some seconds at most."""
        ...


def is_wanted(environ: Mapping[str, str]) -> bool:
    """Whether OTEL_* variables ask for traces."""
    if environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    exporter = environ.get("OTEL_TRACES_EXPORTER", "").strip().lower()
    return exporter in _EXPORTERS or (exporter != "none" and any(environ.get(name) for name in _ENDPOINTS))


def open_tracer(service: str, environ: Mapping[str, str] = os.environ) -> Tracer | None:
    """The tracer of this process, called `service` unless OTEL_SERVICE_NAME says otherwise; None without tracing."""
    if not is_wanted(environ):
        return None
    if find_spec("opentelemetry") is None or find_spec("opentelemetry.sdk") is None:
        logger.warning("OTEL_* asks for traces, but the extra `otel` is not installed; there are none")
        return None
    tracer: Tracer = import_module("common.tracing.otel").open_otel(service, environ)
    return tracer

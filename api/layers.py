"""Which middleware stands before the routes, and in which order."""

import re
from collections.abc import Callable

from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware

from api.config import ApiSettings
from api.container import ApiContainer
from api.middleware.auth import BearerTokenAuthMiddleware
from api.middleware.body_limit import BodyLimit, BodyLimitMiddleware, UploadLimit
from api.middleware.head_limit import HeadLimitMiddleware
from api.middleware.json_body import JsonBodyMiddleware
from api.middleware.problems import ProblemMiddleware
from api.middleware.rate_limit import RateLimitMiddleware
from api.middleware.tracing import TracingMiddleware
from api.middleware.tracking import TrackingMiddleware
from api.route_table import RouteTable

_AROUND_A_FILE = 64 * 1024
_EXPOSED_HEADERS = (
    "ETag",
    "Idempotency-Replayed",
    "Link",
    "Location",
    "Preference-Applied",
    "RateLimit",
    "RateLimit-Policy",
    "Retry-After",
    "X-Request-ID",
)


def build_layers(settings: ApiSettings, container: ApiContainer, routes: Callable[[], RouteTable]) -> list[Middleware]:
    """Outermost first. Cheap refusals stand before costly ones, and who calls is known before a body is read.

    `routes` is called when a body is no JSON.
    """
    writer = container.request_log_writer()
    observe = container.api_metrics().answered
    layers = [Middleware(TrackingMiddleware, record=writer.record if writer else None, observe=observe)]
    if (tracer := container.tracer()) is not None:
        layers.append(Middleware(TracingMiddleware, tracer=tracer))
    if settings.cors_origins:
        layers.append(_cors(settings))
    layers += [
        Middleware(
            RateLimitMiddleware,
            users=container.user_rate_limiter(),
            addresses=container.address_rate_limiter(),
            is_open=settings.environment.is_open,
        ),
        Middleware(ProblemMiddleware),
        Middleware(
            HeadLimitMiddleware,
            max_url_bytes=settings.max_url_bytes,
            max_headers=settings.max_headers,
            max_header_bytes=settings.max_header_bytes,
        ),
    ]
    if settings.is_production:
        layers.append(
            Middleware(
                BearerTokenAuthMiddleware,
                authenticator=container.authenticator(),
                audit=container.audit(),
                open_paths=frozenset({"/metrics"} if settings.metrics_access != "operators" else ()),
            )
        )
    layers += [
        Middleware(BodyLimitMiddleware, limit=BodyLimit(settings.max_body_bytes), uploads=_uploads(settings)),
        Middleware(
            JsonBodyMiddleware,
            max_depth=settings.max_json_depth,
            timeout=settings.request_timeout.total_seconds(),
            routes=routes,
        ),
    ]
    return layers


def _uploads(settings: ApiSettings) -> UploadLimit:
    limit = BodyLimit(settings.max_document_bytes, "MAX_DOCUMENT_BYTES", slack=_AROUND_A_FILE)
    return UploadLimit(re.compile(r"/api/v1/collections/[^/]+/documents"), limit)


def _cors(settings: ApiSettings) -> Middleware:
    return Middleware(
        CORSMiddleware,
        allow_origins=settings.cors_origins,
        allow_methods=["*"],
        allow_headers=["*"],
        expose_headers=_EXPOSED_HEADERS,
    )

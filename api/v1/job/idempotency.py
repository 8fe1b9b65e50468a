"""The Idempotency-Key header (draft-ietf-httpapi-idempotency-key-header): a repeated submit has one effect."""

import json
import re
from dataclasses import dataclass
from hashlib import blake2s
from typing import Annotated

from fastapi import Depends, Header, Request, Response

from api.dependencies import SettingsDep
from common.errors import HeaderError
from common.repository.idempotency import RequestKey

REPLAYED = "Idempotency-Replayed"

_QUOTED = re.compile(r'"((?:[^"\\]|\\["\\])*)"')
_ESCAPED = re.compile(r'\\(["\\])')
_KEY = re.compile(r"[\x21-\x7e]{1,255}")


@dataclass(frozen=True, slots=True)
class IdempotencyHeader:
    """What a request said about repeating it; `key` is None without the header."""

    key: str | None
    request: Request

    async def request_key(self, route: str) -> RequestKey | None:
        """The key for one route, with a digest of the body in which spaces and the order of fields do not count."""
        if self.key is None:
            return None
        body = json.dumps(await self.request.json(), sort_keys=True, separators=(",", ":"))
        return RequestKey(route, self.key, blake2s(body.encode(), digest_size=16).hexdigest())

    async def key_of_path(self) -> RequestKey | None:
        """The key for the request's own path."""
        return await self.request_key(self._route)

    def key_of_content(self, *parts: object) -> RequestKey | None:
        """The key for the request's own path, where the content is not JSON and comes to `parts`."""
        if self.key is None:
            return None
        content = json.dumps(parts, sort_keys=True, default=str)
        return RequestKey(self._route, self.key, blake2s(content.encode(), digest_size=16).hexdigest())

    @property
    def _route(self) -> str:
        return f"{self.request.method} {self.request.scope['path']}"


def mark_replayed(response: Response, *, is_replayed: bool) -> None:
    """Say that an earlier request with the same key was answered again."""
    if is_replayed:
        response.headers[REPLAYED] = "true"


def parse_key(text: str) -> str:
    """The key itself, from a quoted string or bare. Raises `HeaderError` unless it is 1 to 255 visible characters."""
    quoted = _QUOTED.fullmatch(text.strip())
    key = _ESCAPED.sub(r"\1", quoted[1]) if quoted else text.strip()
    if not _KEY.fullmatch(key) or (not quoted and key.startswith('"')):
        raise HeaderError('Idempotency-Key must be 1 to 255 visible ASCII characters, like "8e03978e-40d5-43dd-bc93"')
    return key


async def get_idempotency(
    request: Request,
    settings: SettingsDep,
    idempotency_key: Annotated[
        list[str] | None,
        Header(
            alias="Idempotency-Key",
            description="Makes it safe to send the request again: the same key and body get the same answer, marked "
            "with `Idempotency-Replayed: true`; another body gets 422.",
            examples=['"8e03978e-40d5-43dd-bc93-6894a57f9324"'],
        ),
    ] = None,
) -> IdempotencyHeader:
    """The header, checked. Raises `HeaderError` when it is malformed, or missing and required."""
    if not idempotency_key:
        if settings.idempotency_key_required:
            raise HeaderError("send an Idempotency-Key header; IDEMPOTENCY_KEY_REQUIRED is set")
        return IdempotencyHeader(None, request)
    if len(idempotency_key) > 1:
        raise HeaderError("send one Idempotency-Key header")
    return IdempotencyHeader(parse_key(idempotency_key[0]), request)


IdempotencyDep = Annotated[IdempotencyHeader, Depends(get_idempotency)]

"""`job:submit`: the body of `POST /api/v1/jobs` by message, checked by the same models."""

import json
from hashlib import blake2s
from typing import Any

from pydantic import TypeAdapter, ValidationError

from api.caller import Caller
from api.config import ApiSettings
from api.exception_handlers import summarize_validation
from api.realtime_schema import refusal
from api.references import References
from api.v1.job.idempotency import parse_key
from api.v1.job.request_schema import SubmitRequest
from api.v1.job.request_union import build_request_union
from common.errors import HeaderError
from common.ids import new_id
from common.queue.catalog import Catalog
from common.queue.client import JobQueue, Submitted
from common.repository.idempotency import RequestKey

_ROUTE = "POST /api/v1/jobs"
_KEY = "idempotency_key"


class SubmitRefusedError(Exception):
    """The job is not what a model says; `answer` is the whole acknowledgement."""

    def __init__(self, answer: dict[str, Any]) -> None:
        super().__init__(answer)
        self.answer = answer


class Submitter:
    """Accepts jobs that come by message."""

    def __init__(self, settings: ApiSettings, catalog: Catalog, queue: JobQueue, references: References) -> None:
        self._references = references
        self._settings = settings
        self._catalog = catalog
        self._queue = queue
        self._requests: TypeAdapter[SubmitRequest] = TypeAdapter(build_request_union(catalog))

    async def submit(self, data: object, caller: Caller) -> Submitted:
        """Accept a job; `idempotency_key` beside its fields does what the header does, over both doors alike.

        Raises `SubmitRefusedError` for a wrong body, and what `JobService.submit` raises.
        """
        key, body = self._split(data)
        try:
            request = self._requests.validate_python(body)
        except ValidationError as error:
            code, message, fields = summarize_validation(error, body)
            answer = refusal(code, message)
            answer["error"]["errors"] = [field.model_dump(mode="json") for field in fields]
            raise SubmitRefusedError(answer) from error
        await self._references.check(request.payload, caller.owner)
        kind = self._catalog.get_kind(request.kind)
        options = request.options(str(new_id()))
        return await self._queue.accept(kind, request.payload, owner=caller.owner, options=options, key=key)

    def _split(self, data: object) -> tuple[RequestKey | None, object]:
        """The idempotency key and the rest of the body. The digest is the one of the same body over HTTP."""
        if not isinstance(data, dict) or _KEY not in data:
            if self._settings.idempotency_key_required:
                raise HeaderError("send an idempotency_key; IDEMPOTENCY_KEY_REQUIRED is set")
            return None, data
        body = {name: value for name, value in data.items() if name != _KEY}
        if not isinstance(data[_KEY], str):
            raise HeaderError("idempotency_key must be a text")
        digest = blake2s(json.dumps(body, sort_keys=True, separators=(",", ":"), default=str).encode(), digest_size=16)
        return RequestKey(_ROUTE, parse_key(data[_KEY]), digest.hexdigest()), body

"""One route on the wire: what langchain and the SDK say to it, sent and read in the cheapest way.

langchain-openai makes the payload and reads every chunk that is more than text; the SDK makes the request, once for
all calls of the route, and the errors. Left out is what they do for each piece of text: models of pydantic, a merge,
callbacks. That was most of the CPU time of a stream.
"""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import httpx2
import openai
from langchain_core.messages import AIMessageChunk, BaseMessage
from langchain_openai.chat_models.base import BaseChatOpenAI
from openai._models import FinalRequestOptions
from pydantic import SecretStr
from pydantic_core import from_json, to_json

from worker.llm.connection_pool import Origin
from worker.llm.server_events import EventReader
from worker.llm.transport import Body, StreamingClient, head_of, lines_of

_DONE = b"[DONE]"
type _Read = Callable[[], Awaitable[bytes]]
type _Close = Callable[[], Awaitable[None]]


class ChatWire:
    """Calls of one route. `model` is its langchain client, `http` what sends; no event is larger than `most_bytes`."""

    def __init__(self, model: BaseChatOpenAI, http: StreamingClient, key: SecretStr, *, most_bytes: int) -> None:
        self._model, self._http, self._most_bytes = model, http, most_bytes
        self._sdk: openai.AsyncOpenAI = model.root_async_client
        form = self._sdk._build_request(
            FinalRequestOptions.construct(
                method="post",
                url="/chat/completions",
                json_data={},
                headers={"Authorization": f"Bearer {key.get_secret_value()}"},
            )
        )
        self._url = form.url
        self._headers = form.headers
        del self._headers["content-length"]
        self._pool, self._origin = http.pool_for(self._url), Origin.of(self._url)
        self._head = head_of("POST", self._url, self._headers)

    async def open(self, messages: Sequence[BaseMessage], options: Mapping[str, Any]) -> "ChatStream":
        """Ask. Raises `openai.APIStatusError` for an answer that is none, `httpx2.HTTPError` when there is none."""
        asked = self._model._get_request_payload(
            list(messages), stream=True, stream_options={"include_usage": True}, **options
        )
        extra, headers = asked.pop("extra_body", None) or {}, asked.pop("extra_headers", None) or {}
        content = to_json({**asked, **extra})
        if self._pool is None:
            request = httpx2.Request("POST", self._url, headers=self._headers | headers, content=content)
            response = await self._http.send(request, stream=True)
        else:
            question, patience = self._question(headers, content), self._http.timeout.connect
            body = Body(await self._pool.ask(self._origin, question, patience))
            if body.is_plain:
                return await self._stream(body.read, body.aclose, body.header(b"content-type"))
            response = body.to_response(httpx2.Request("POST", self._url))
        if response.is_success:
            return await self._stream(_reader(response), response.aclose, response.headers.get("content-type", ""))
        try:
            await response.aread()
        finally:
            await response.aclose()
        raise self._sdk._make_status_error_from_response(response)

    async def _stream(self, read: _Read, aclose: _Close, content_type: str) -> "ChatStream":
        stream = ChatStream(read, aclose, self._url, self._most_bytes)
        if content_type.startswith("application/json"):
            try:
                await stream.take_document()
            except BaseException:
                await aclose()
                raise
        return stream

    def _question(self, headers: Mapping[str, str], content: bytes) -> bytes:
        """The whole request, with headers of this call alone."""
        lines = lines_of([(name.encode(), value.encode()) for name, value in headers.items()])
        return b"%b%bContent-Length: %d\r\n\r\n%b" % (self._head, lines, len(content), content)

    def convert(self, chunk: dict[str, Any]) -> AIMessageChunk | None:
        """A chunk in langchain's words, with everything that it tells in `response_metadata`."""
        made = self._model._convert_chunk_to_generation_chunk(chunk, AIMessageChunk, None)
        if made is None or not isinstance(made.message, AIMessageChunk):
            return None
        made.message.response_metadata = {**(made.generation_info or {}), **made.message.response_metadata}
        return made.message


class ChatStream:
    """The chunks of an answer. Close it at the end, for instance with `aclosing`.

    `read` gives the next bytes, none at the end; `aclose` gives the connection back and waits for nothing.
    No event, and no document, is larger than `most_bytes`.
    """

    def __init__(self, read: _Read, aclose: _Close, url: httpx2.URL, most_bytes: int) -> None:
        self.aclose = aclose
        self._read, self._url, self._most_bytes = read, url, most_bytes
        self._events = EventReader(most_bytes)
        self._whole: list[Any] | None = None
        self._failure: Exception | None = None
        self._is_done = False

    async def read(self) -> list[Any] | None:
        """Every whole chunk that has come since the last call, at least one; None at the end.

        Raises `ValueError` for what cannot be read, `openai.APIError` when the provider breaks off with an error.
        """
        if self._whole is not None:
            self._is_done, chunks, self._whole = True, self._whole, None
            return chunks
        if self._failure is not None:
            raise self._failure
        while not self._is_done:
            if not (piece := await self._read()):
                return None
            if chunks := self._chunks_of(piece):
                return chunks
        return None

    async def take_document(self) -> None:
        """Read an answer that came as one document, though a stream was asked for. Raises as `read` does."""
        body = b""
        while piece := await self._read():
            body += piece
            if len(body) > self._most_bytes:
                raise ValueError(f"an answer has more than {self._most_bytes} bytes")
        document = self._parse(body)
        choices = [{**choice, "delta": choice["message"]} for choice in document["choices"]]
        self._whole = [{**document, "choices": choices}]

    async def drain(self) -> None:
        """Read what is left, so that the connection can be used again."""
        while await self._read():
            pass

    def _chunks_of(self, piece: bytes) -> list[Any]:
        chunks: list[Any] = []
        try:
            for data in self._events.feed(piece):
                if (chunk := self._parse(data)) is not None:
                    chunks.append(chunk)
        except (ValueError, openai.APIError) as error:
            if not chunks:
                raise
            # What came before it counts: it may be the answer's end.
            self._failure = error
        return chunks

    def _parse(self, data: bytes) -> Any:
        if self._is_done or data.startswith(_DONE):
            self._is_done = True
            return None
        chunk = _from_json(data)
        if isinstance(chunk, dict) and (error := chunk.get("error")):
            raise openai.APIError("the stream holds an error", httpx2.Request("POST", self._url), body=error)
        return chunk


def _from_json(data: bytes) -> Any:
    try:
        return from_json(data)
    except ValueError:
        return json.loads(data)  # it takes halves of surrogate pairs, too


def _reader(response: httpx2.Response) -> _Read:
    """Reads the next bytes of an answer that has to be decoded first, none at its end."""
    pieces = response.aiter_bytes()

    async def read() -> bytes:
        return await anext(pieces, b"")

    return read

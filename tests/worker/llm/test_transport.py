"""HTTP under the chat models, against sockets that behave as servers may."""

import gzip
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field

import httpx2
import pytest

from common.ports import ChatMessage, ChatRequest
from tests.fixtures.provider import Provider, Reply
from tests.worker.chat_calls import Build, ask, build, collect, text_of
from worker.llm.transport import StreamingClient

__all__ = ["build"]


@dataclass
class Server:
    """Answers each connection once, keeps it open, and closes it when told."""

    listener: socket.socket
    answers: list[bytes]
    connections: int = 0
    hang_up: threading.Event = field(default_factory=threading.Event)
    hung_up: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.listener.getsockname()[1]}/"

    def run(self) -> None:
        for answer in self.answers:
            connection, _ = self.listener.accept()
            self.connections += 1
            with connection:
                connection.recv(65_536)
                connection.sendall(answer)
                self.hang_up.wait(60)
            self.hung_up.set()


@pytest.fixture
def server() -> Iterator[Server]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield Server(listener, [])


@pytest.fixture
async def http() -> AsyncIterator[httpx2.AsyncClient]:
    limits = httpx2.Limits(max_connections=None, keepalive_expiry=30)
    async with StreamingClient(limits=limits, timeout=httpx2.Timeout(None, connect=10)) as client:
        yield client


async def test_a_kept_connection_that_was_closed_unheard_is_not_used(server: Server, http: httpx2.AsyncClient) -> None:
    server.answers = [b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"] * 2
    serving = threading.Thread(target=server.run)
    serving.start()
    assert (await http.post(server.url)).text == "ok"
    server.hang_up.set()
    # Blocks the loop, so that it cannot hear of the end before the next request.
    assert server.hung_up.wait(60)
    assert (await http.post(server.url)).text == "ok"
    serving.join(60)
    assert server.connections == 2


async def test_an_answer_that_breaks_off_is_an_error(server: Server, http: httpx2.AsyncClient) -> None:
    server.answers = [b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nok"]
    server.hang_up.set()
    serving = threading.Thread(target=server.run)
    serving.start()
    with pytest.raises(httpx2.TransportError):
        await http.post(server.url)
    serving.join(60)


async def test_a_compressed_answer_is_read_all_the_same(server: Server, build: Build) -> None:
    chunks = (
        b'data: {"choices": [{"delta": {"content": "Hi"}, "finish_reason": null}]}\n\n'
        b'data: {"choices": [{"delta": {}, "finish_reason": "stop"}]}\n\ndata: [DONE]\n\n'
    )
    body = gzip.compress(chunks)
    server.answers = [b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body) + body]
    server.hang_up.set()
    serving = threading.Thread(target=server.run)
    serving.start()
    assert text_of(await collect(build(openai_base_url=server.url), ask())) == "Hi"
    serving.join(60)


async def test_of_an_endless_refusal_only_the_beginning_is_read(provider: Provider, http: httpx2.AsyncClient) -> None:
    provider.script(Reply(raw=b"x" * 2**23), Reply(status=400, raw=b"x" * 2**23))
    sizes = [len((await http.post(f"{provider.url}/chat/completions", json={})).content) for _ in range(2)]
    assert sizes[0] == 2**23
    assert 0 < sizes[1] < 2**21


async def test_a_question_of_megabytes_goes_out_whole(provider: Provider, build: Build) -> None:
    long = "아" * 700_000
    await collect(build(), ChatRequest([ChatMessage(role="user", content=long)]))
    assert provider.seen[0].body["messages"][0]["content"] == long

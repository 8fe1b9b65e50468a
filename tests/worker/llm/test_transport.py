"""HTTP under the chat models, against sockets that behave as servers may."""

import asyncio
import gzip
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import pytest
import trustme

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
    tls: ssl.SSLContext | None = None
    waits_for_end: bool = False
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
            with connection, suppress(OSError), self._secured(connection) as asked:
                asked.recv(65_536)
                asked.sendall(answer)
                if self.waits_for_end:
                    asked.recv(1)
                else:
                    self.hang_up.wait(60)
            self.hung_up.set()

    def _secured(self, connection: socket.socket) -> socket.socket:
        return connection if self.tls is None else self.tls.wrap_socket(connection, server_side=True)


@pytest.fixture
def server() -> Iterator[Server]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield Server(listener, [])


@pytest.fixture
def tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """A server's certificate for `localhost`, by an authority that clients trust from now on."""
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    return context


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


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "ok", id="length"),
        pytest.param(b"HTTP/1.1 200 OK\r\n\r\nuntil the end", "until the end", id="no length"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n3\r\nays\r\n0\r\nX-After: 1\r\n\r\n",
            "okays",
            id="chunks and what follows them",
        ),
        pytest.param(
            b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
            "ok",
            id="an informational answer first",
        ),
    ],
)
async def test_answers_of_every_form(server: Server, http: httpx2.AsyncClient, answer: bytes, body: str) -> None:
    server.answers = [answer]
    server.hang_up.set()
    serving = threading.Thread(target=server.run)
    serving.start()
    told = await http.post(server.url)
    assert (told.status_code, told.text) == (200, body)
    assert not {"link", "x-after"} & set(told.headers)
    serving.join(60)


@pytest.mark.parametrize("answer", [b"SSH-2.0-OpenSSH_9.6\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nBad", b""])
async def test_what_is_no_answer_is_an_error(server: Server, http: httpx2.AsyncClient, answer: bytes) -> None:
    server.answers = [answer]
    server.hang_up.set()
    serving = threading.Thread(target=server.run)
    serving.start()
    with pytest.raises(httpx2.TransportError):
        await http.post(server.url)
    serving.join(60)


async def test_a_connection_that_ended_before_its_answer_was_read(server: Server, http: httpx2.AsyncClient) -> None:
    server.answers = [b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"] * 2
    server.hang_up.set()
    serving = threading.Thread(target=server.run)
    serving.start()
    async with http.stream("POST", server.url) as told:
        assert await asyncio.to_thread(server.hung_up.wait, 60)
        for _ in range(10):  # turns of the loop, in which it hears of the end
            await asyncio.sleep(0)
        assert await told.aread() == b"ok"
    assert (await http.post(server.url)).text == "ok"
    serving.join(60)


async def test_more_than_was_asked_for_spoils_the_connection(server: Server, http: httpx2.AsyncClient) -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    server.answers = [answer * 2, answer]
    server.hang_up.set()
    serving = threading.Thread(target=server.run)
    serving.start()
    assert [(await http.post(server.url)).text for _ in range(2)] == ["ok", "ok"]
    serving.join(60)
    assert server.connections == 2


async def test_a_header_cannot_end_its_line(server: Server, http: httpx2.AsyncClient) -> None:
    with pytest.raises(ValueError, match="end of a line"):
        await http.post(server.url, headers={"X-Request-ID": "1\r\nX-Other: 2"})


async def test_nobody_there_is_an_error_of_connecting(http: httpx2.AsyncClient) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    for host in ("127.0.0.1", "localhost", "nobody.invalid"):
        with pytest.raises(httpx2.ConnectError):
            await http.post(f"http://{host}:{port}/")


async def test_a_name_and_a_certificate(server: Server, tls: ssl.SSLContext, http: httpx2.AsyncClient) -> None:
    server.answers = [b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"]
    server.tls = tls
    server.hang_up.set()
    serving = threading.Thread(target=server.run)
    serving.start()
    assert (await http.post(server.url.replace("http://127.0.0.1", "https://localhost"))).text == "ok"
    serving.join(60)


async def test_a_certificate_of_another_name_is_refused(
    server: Server, tls: ssl.SSLContext, http: httpx2.AsyncClient
) -> None:
    server.answers = [b""]
    server.tls = tls
    server.hang_up.set()
    serving = threading.Thread(target=server.run)
    serving.start()
    with pytest.raises(httpx2.ConnectError):
        await http.post(server.url.replace("http", "https"))
    serving.join(60)


async def test_a_reader_that_takes_its_time_holds_the_sender_up(server: Server, http: httpx2.AsyncClient) -> None:
    size = 8 * 2**20
    server.answers = [b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + b"x" * size]
    server.hang_up.set()
    serving = threading.Thread(target=server.run)
    serving.start()
    async with http.stream("POST", server.url) as told:
        sizes = [len(piece) async for piece in told.aiter_raw()]
    assert sum(sizes) == size
    assert max(sizes) < size / 4
    serving.join(60)


async def test_idle_connections_are_closed(server: Server) -> None:
    server.answers = [b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"]
    server.waits_for_end = True
    serving = threading.Thread(target=server.run)
    serving.start()
    async with StreamingClient(limits=httpx2.Limits(keepalive_expiry=0.05), timeout=httpx2.Timeout(None)) as client:
        await client.post(server.url)
        assert await asyncio.to_thread(server.hung_up.wait, 60)
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

"""A Chroma behind a gate that asks for a token: its own server knows none."""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import httpx2
import pytest

from common.cli.checks import chroma_check
from common.config import CommonSettings
from common.errors import AppError
from common.ids import new_id
from tests.fixtures.workers import worker_settings
from worker.chroma_manager import ChromaManager

TOKEN = "a-token-of-the-gate"


@pytest.fixture
def gate(chroma_url: str) -> Iterator[str]:
    """Hands to Chroma what brings the token, and nothing else."""

    class Gate(BaseHTTPRequestHandler):
        def _pass(self) -> None:
            if self.headers["Authorization"] != f"Bearer {TOKEN}":
                self._answer(401, b"{}")
                return
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            url, headers = f"{chroma_url}{self.path}", {"Content-Type": "application/json"}
            answer = httpx2.request(self.command, url, content=body, headers=headers, trust_env=False, timeout=60)
            self._answer(answer.status_code, answer.content)

        do_GET = do_POST = do_DELETE = _pass  # noqa: N815

        def _answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Gate) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


async def test_only_the_token_opens_the_gate(settings: CommonSettings, gate: str) -> None:
    known, stranger = (
        ChromaManager(worker_settings(settings, chroma_url=gate, chroma_token=token)) for token in (TOKEN, None)
    )
    collection_id, tenant_id = new_id(), new_id()
    await known.ensure(collection_id, tenant_id, "a-model", 3)
    with pytest.raises(AppError):
        await stranger.ensure(collection_id, tenant_id, "a-model", 3)
    await known.drop(collection_id)
    for manager in (known, stranger):
        await manager.aclose()

    assert (await chroma_check(TOKEN)(gate)).detail.startswith("Chroma at")
    with pytest.raises(httpx2.HTTPStatusError):
        await chroma_check(None)(gate)

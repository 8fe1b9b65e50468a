"""One HTTP call of somebody else's server: the name is resolved once, and what was checked is what is connected to."""

import asyncio
import socket
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_address
from time import monotonic

import httpx2

from common.errors import PermanentError
from common.webhook.address import Network, is_allowed

_MAX_ANSWER = 16 * 1024
_KEPT_ANSWER = 500


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; `error` is set when nothing did."""

    status_code: int | None
    error: str | None
    text: str | None
    retry_after: timedelta | None
    seconds: float


class BlockedAddressError(PermanentError):
    """The name leads to an address that may not be called."""

    code = "blocked_address"


class WebhookCaller:
    """Calls without redirects, proxies and cookies, for at most `limit` in all, and reads little of the answer."""

    def __init__(self, limit: timedelta, private: Sequence[Network]) -> None:
        self._limit = limit.total_seconds()
        self._private = private
        self._tls = ssl.create_default_context()

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Send `body`. Raises `BlockedAddressError`; every other failure is part of the answer."""
        started = monotonic()
        try:
            async with asyncio.timeout(self._limit):
                return await self._post(httpx2.URL(url), body, headers, started)
        except TimeoutError:
            error = f"no answer within {self._limit:g} s"
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as failure:
            error = f"{type(failure).__name__}: {failure}"[:_KEPT_ANSWER]
        return Answer(None, error, None, None, monotonic() - started)

    async def _post(self, url: httpx2.URL, body: bytes, headers: Mapping[str, str], started: float) -> Answer:
        address = await self._resolve(url)
        pinned = url.copy_with(host=address)
        request = httpx2.Request(
            "POST",
            pinned,
            content=body,
            headers={**headers, "Host": url.netloc.decode("ascii")},
            extensions={"sni_hostname": url.host, "timeout": httpx2.Timeout(self._limit).as_dict()},
        )
        async with httpx2.AsyncHTTPTransport(verify=self._tls, trust_env=False, retries=0) as transport:
            response = await transport.handle_async_request(request)
            try:
                text = await _read_some(response)
            finally:
                await response.aclose()
        return Answer(response.status_code, None, text, _retry_after(response), monotonic() - started)

    async def _resolve(self, url: httpx2.URL) -> str:
        """The first address of the host that may be called."""
        port = url.port or (443 if url.scheme == "https" else 80)
        found = await asyncio.get_running_loop().getaddrinfo(url.host, port, type=socket.SOCK_STREAM)
        addresses = [str(entry[4][0]).partition("%")[0] for entry in found]
        for address in addresses:
            if is_allowed(ip_address(address), self._private):
                return address
        raise BlockedAddressError(f"{url.host} leads to an address that may not be called")


async def _read_some(response: httpx2.Response) -> str:
    content = b""
    async for chunk in response.aiter_raw():
        content += chunk
        if len(content) >= _MAX_ANSWER:
            break
    return content[:_KEPT_ANSWER].decode("utf-8", "replace").replace("\x00", "")


def _retry_after(response: httpx2.Response) -> timedelta | None:
    text = response.headers.get("retry-after", "")
    return timedelta(seconds=min(int(text), 86_400)) if text.isdigit() and len(text) < 10 else None

"""One call over TLS: to the address that was checked, with the certificate of the name."""

import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from common.webhook.address import is_allowed
from worker.webhook.caller import BlockedAddressError, WebhookCaller

HERE = (ip_network("127.0.0.0/8"), ip_network("::1/128"))

type Serve = Callable[[str], AbstractAsyncContextManager[str]]


@pytest.fixture
def serve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Serve:
    """`async with serve("name") as url:` a server whose certificate, which is trusted, is that of the name."""

    @asynccontextmanager
    async def running(name: str) -> AsyncIterator[str]:
        pem = tmp_path / "server.pem"
        pem.write_bytes(_certificate(name))
        monkeypatch.setenv("SSL_CERT_FILE", str(pem))
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(pem)
        app = web.Application()
        app.router.add_post("/hook", _answer)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
        await site.start()
        assert site._server is not None
        port = site._server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]  # aiohttp has no other way to ask
        yield f"https://localhost:{port}/hook"
        await runner.cleanup()

    return running


async def _answer(request: web.Request) -> web.Response:
    return web.Response(text=f"{request.host} {(await request.read()).decode()}")


def _certificate(name: str) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private + certificate.public_bytes(serialization.Encoding.PEM)


async def test_name_is_what_is_verified_though_the_address_is_what_is_called(serve: Serve) -> None:
    async with serve("localhost") as url:
        answer = await WebhookCaller(timedelta(seconds=5), HERE).post(url, b"hello", {})
    assert (answer.status_code, answer.error) == (200, None)
    assert answer.text == f"{url.split('/')[2]} hello"


async def test_certificate_of_another_name_is_refused(serve: Serve) -> None:
    async with serve("elsewhere.example") as url:
        answer = await WebhookCaller(timedelta(seconds=5), HERE).post(url, b"hello", {})
    assert answer.status_code is None
    assert answer.error is not None
    assert "certificate" in answer.error.lower()


@pytest.mark.parametrize(
    "host", ["localhost", "127.0.0.1", "[::1]", "0.0.0.0", "169.254.169.254", "[::ffff:127.0.0.1]"]
)
async def test_private_address_is_not_called(host: str) -> None:
    with pytest.raises(BlockedAddressError):
        await WebhookCaller(timedelta(seconds=5), ()).post(f"https://{host}/", b"", {})


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1:248:1893:25c8:1946", True),
        ("10.1.2.3", False),
        ("100.64.0.1", False),
        ("192.0.2.1", False),
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("fe80::1", False),
        ("ff02::1", False),
        ("::", False),
        ("::ffff:93.184.216.34", True),
        ("2002:0a00:0001::1", False),
        ("64:ff9b::7f00:1", False),
    ],
)
def test_which_addresses_are_public(address: str, expected: bool) -> None:
    assert is_allowed(ip_address(address), ()) is expected


def test_named_range_is_allowed_and_no_other() -> None:
    private = (ip_network("10.1.0.0/16"),)
    assert is_allowed(ip_address("10.1.2.3"), private)
    assert not is_allowed(ip_address("10.2.2.3"), private)
    assert is_allowed(ip_address("::ffff:10.1.2.3"), private)

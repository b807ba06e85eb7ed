"""TLS through the door: the certificate must be valid for the host that was asked for, wherever it is dialled."""

import asyncio
import datetime
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from draggonnb_pipelines.errors import ErrorClass, VendorError
from draggonnb_pipelines.resources.http import HttpDoor, PublicFetchError, trusted_authorities
from tests.resources.raw_server import answer


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A self-signed certificate for acme.example, with its key in the same file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "acme.example")])
    today = datetime.datetime.now(datetime.UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(today - datetime.timedelta(days=1))
        .not_valid_after(today + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("acme.example")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    path = tmp_path / "acme.pem"
    path.write_bytes(
        built.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    )
    return path


@asynccontextmanager
async def tls_server(certificate: Path) -> AsyncIterator[int]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer(200, b"over TLS"))
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(handle, "127.0.0.1", 0, ssl=context) as server:
        yield server.sockets[0].getsockname()[1]


@pytest.fixture
def trusted_certificate(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The one authority of this process, which reads its authorities once."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    trusted_authorities.cache_clear()
    yield certificate
    trusted_authorities.cache_clear()


async def test_a_certificate_is_checked_against_the_host_of_the_url_and_not_the_dialled_address(
    trusted_certificate: Path,
) -> None:
    async with (
        tls_server(trusted_certificate) as port,
        HttpDoor(user_agent="t", connect_to={"example": f"127.0.0.1:{port}"}) as door,
    ):
        page = await door.fetch_public("https://acme.example/", max_bytes=100, timeout_seconds=5)
        with pytest.raises(PublicFetchError) as caught:
            await door.fetch_public("https://other.example/", max_bytes=100, timeout_seconds=5)

    assert (page.status, page.body) == (200, b"over TLS")
    assert caught.value.reason == "unreachable"
    assert caught.value.detail == "other.example: the certificate is not valid for this host"


async def test_an_unknown_authority_is_no_connection_so_nothing_was_sent(certificate: Path) -> None:
    async with tls_server(certificate) as port, HttpDoor(user_agent="t") as door:
        url = f"https://localhost:{port}/"
        with pytest.raises(VendorError) as caught:
            await door.call("acme", "POST", url, idempotent=False, sort=lambda _: None, attempts=1, json={})

    assert caught.value.error_class is ErrorClass.RETRY
    assert caught.value.message == "the certificate is not valid for this host"

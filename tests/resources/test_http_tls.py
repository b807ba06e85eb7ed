"""TLS through the door: the certificate must be valid for the host that was asked for, wherever it is dialled."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from draggonnb_pipelines.errors import ErrorClass, VendorError
from draggonnb_pipelines.resources.http import HttpDoor, PublicFetchError, trusted_authorities
from tests.tls_servers import certificate_for, tls_server


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    return certificate_for("acme.example", tmp_path / "acme.pem")


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


async def test_a_certificate_that_has_expired_is_called_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expired = certificate_for("localhost", tmp_path / "expired.pem", days_left=-1)
    monkeypatch.setenv("SSL_CERT_FILE", str(expired))
    trusted_authorities.cache_clear()
    try:
        async with tls_server(expired) as port, HttpDoor(user_agent="t") as door:
            with pytest.raises(VendorError) as caught:
                await door.call(
                    "acme", "POST", f"https://localhost:{port}/", idempotent=False, sort=lambda _: None, attempts=1
                )
    finally:
        trusted_authorities.cache_clear()

    assert (caught.value.error_class, caught.value.message) == (ErrorClass.RETRY, "the certificate has expired")

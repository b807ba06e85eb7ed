"""Settings as an operator writes them, in the environment."""

from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest

from draggonnb_pipelines.domain.itn import ITN_SOURCES, is_from
from draggonnb_pipelines.errors import OperatorError
from draggonnb_pipelines.settings import Settings, load_settings

ACCOUNT = {"MERCHANT_ID": "10012345", "MERCHANT_KEY": "key-of-the-shop", "PASSPHRASE": "words-of-the-shop"}


def settings(monkeypatch: pytest.MonkeyPatch, **variables: str) -> Settings:
    for name, value in variables.items():
        monkeypatch.setenv(f"DRAGGONNB_{name}", value)
    return load_settings(_env_file=None)


def payfast(monkeypatch: pytest.MonkeyPatch, **variables: str) -> Settings:
    given = {**ACCOUNT, **variables}
    return settings(monkeypatch, **{f"PAYFAST_{name}": value for name, value in given.items() if value})


def test_lists_are_written_with_commas(monkeypatch: pytest.MonkeyPatch):
    found = settings(monkeypatch, TRUSTED_PROXIES="10.0.0.1, 10.0.0.2", PAYFAST_SOURCES="203.0.113.0/28,2001:db8::/32,")

    assert found.trusted_proxies == ["10.0.0.1", "10.0.0.2"]
    assert found.payfast_sources == [ip_network("203.0.113.0/28"), ip_network("2001:db8::/32")]


def test_without_a_key_payments_go_to_our_sandbox_and_notices_come_from_this_machine(monkeypatch: pytest.MonkeyPatch):
    found = settings(monkeypatch, SANDBOX_PORT="9990")

    assert "payfast" in found.sandboxed_vendors
    assert found.payfast_process_url == "http://127.0.0.1:9990/payfast/eng/process"
    assert found.payfast_validate_url == "http://127.0.0.1:9990/payfast/eng/query/validate"
    assert (found.payfast_api_url, found.payfast_testing) == ("http://127.0.0.1:9990/payfast/api", True)
    assert found.payfast_account == ("10000100", "46f0cd694581a", "jt7NOE43FZPn")
    assert is_from("127.0.0.1", found.payfast_networks)
    assert not is_from("127.0.0.2", found.payfast_networks)


def test_with_a_key_payments_are_real_and_this_machine_is_no_source(monkeypatch: pytest.MonkeyPatch):
    found = payfast(monkeypatch, SOURCES="203.0.113.0/28")

    assert "payfast" not in found.sandboxed_vendors
    assert found.payfast_process_url == "https://www.payfast.co.za/eng/process"
    assert found.payfast_validate_url == "https://www.payfast.co.za/eng/query/validate"
    assert (found.payfast_api_url, found.payfast_testing) == ("https://api.payfast.co.za", False)
    assert found.payfast_account == ("10012345", "key-of-the-shop", "words-of-the-shop")
    assert found.payfast_networks == (*ITN_SOURCES, ip_network("203.0.113.0/28"))
    assert not any(ip_address("127.0.0.1") in network for network in found.payfast_networks)
    assert "of-the-shop" not in repr(found)


def test_payfasts_own_sandbox_is_a_choice(monkeypatch: pytest.MonkeyPatch):
    found = payfast(monkeypatch, SANDBOX="true")

    assert found.payfast_process_url == "https://sandbox.payfast.co.za/eng/process"
    assert (found.payfast_api_url, found.payfast_testing) == ("https://api.payfast.co.za", True)
    assert "payfast" not in found.sandboxed_vendors


@pytest.mark.parametrize("missing", ["MERCHANT_ID", "PASSPHRASE"])
def test_half_an_account_is_refused(monkeypatch: pytest.MonkeyPatch, missing: str):
    with pytest.raises(OperatorError, match="are needed with DRAGGONNB_PAYFAST_MERCHANT_KEY"):
        payfast(monkeypatch, **{missing: ""})


@pytest.mark.parametrize("networks", ["203.0.113.0/33", "payfast.co.za", "203.0.113.7/28"])
def test_a_network_that_is_none_is_named(monkeypatch: pytest.MonkeyPatch, networks: str):
    with pytest.raises(OperatorError, match="DRAGGONNB_PAYFAST_SOURCES"):
        settings(monkeypatch, PAYFAST_SOURCES=networks)


def test_without_keys_github_vercel_and_n8n_are_our_sandbox(monkeypatch: pytest.MonkeyPatch):
    found = settings(monkeypatch, SANDBOX_PORT="9990")

    assert {"github", "vercel", "n8n"} <= set(found.sandboxed_vendors)
    assert (found.github_url, found.vercel_url, found.n8n_url) == (
        "http://127.0.0.1:9990/github",
        "http://127.0.0.1:9990/vercel",
        "http://127.0.0.1:9990/n8n",
    )
    assert found.vercel_site_url.format(host="a.draggonnb.app") == "http://127.0.0.1:9990/vercel/sites/a.draggonnb.app"
    assert (found.github_key, found.vercel_key, found.n8n_key) == ("sandbox",) * 3


def test_with_keys_github_vercel_and_n8n_are_real(monkeypatch: pytest.MonkeyPatch):
    keys = {"GITHUB_TOKEN": "ghp", "VERCEL_TOKEN": "vcp", "N8N_API_KEY": "eyJ"}

    found = settings(monkeypatch, N8N_BASE_URL="https://n8n.example/", **keys)

    assert {"github", "vercel", "n8n"}.isdisjoint(found.sandboxed_vendors)
    assert (found.github_url, found.vercel_url) == ("https://api.github.com", "https://api.vercel.com")
    assert (found.n8n_url, found.vercel_site_url) == ("https://n8n.example", "https://{host}")
    assert (found.github_key, found.vercel_key, found.n8n_key) == ("ghp", "vcp", "eyJ")


def test_a_key_of_n8n_needs_its_address(monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(OperatorError, match="DRAGGONNB_N8N_BASE_URL is needed"):
        settings(monkeypatch, N8N_API_KEY="eyJ")


@pytest.mark.parametrize(
    ("secret", "other_half"),
    [
        ("META_APP_SECRET", "META_APP_ID"),
        ("LINKEDIN_CLIENT_SECRET", "LINKEDIN_CLIENT_ID"),
        ("X_CLIENT_SECRET", "X_CLIENT_ID"),
        ("STORAGE_KEY", "STORAGE_BASE_URL"),
    ],
)
def test_half_of_a_credential_names_the_other_half(monkeypatch: pytest.MonkeyPatch, secret: str, other_half: str):
    with pytest.raises(OperatorError, match=f"DRAGGONNB_{other_half} is needed with DRAGGONNB_{secret}"):
        settings(monkeypatch, **{secret: "s"})


def test_with_a_real_network_a_lost_call_settles_no_sooner_than_it_may_take(monkeypatch: pytest.MonkeyPatch):
    real = {"X_CLIENT_ID": "id", "X_CLIENT_SECRET": "s"}

    with pytest.raises(OperatorError, match="DRAGGONNB_PUBLISH_SETTLE_SECONDS must be 90 at least"):
        settings(monkeypatch, **real, PUBLISH_SETTLE_SECONDS="89")

    assert settings(monkeypatch, **real, PUBLISH_SETTLE_SECONDS="90").publish_settle_seconds == 90.0


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'DRAGGONNB_API_PORT=8080\nDRAGGONNB_MASTER_DSN="postgresql://draggonnb@127.0', ", line 2, cannot be read; "),
        (b"DRAGGONNB_API_PORT=8080\nDRAGGONNB_MASTER_DSN=\xff\xfe\x01", " is no text"),
        (b"DRAGGONNB_API_PORT=8080\nDRAGGONNB_MASTER_DSN=\0\0\0\0", ", line 1, cannot be read; "),
        (bytes(512), " is empty"),
        (b"", " is empty"),
    ],
    ids=["torn", "other bytes", "zeros at the end", "zeros", "nothing"],
)
def test_an_env_file_that_was_cut_off_or_written_over_is_refused_and_not_read_in_part(
    tmp_path: Path, content: bytes, said: str
):
    path = tmp_path / ".env"
    path.write_bytes(content)

    with pytest.raises(OperatorError) as caught:
        load_settings(_env_file=path)

    assert caught.value.message.startswith(f"{path}{said}")
    assert "write the file anew" in caught.value.remedy


def test_an_env_file_with_comments_quotes_and_blank_lines_is_read(tmp_path: Path):
    path = tmp_path / ".env"
    path.write_text("# our port\n\nDRAGGONNB_API_PORT='8123'  # behind Caddy\nexport DRAGGONNB_SELLER_NAME=\"A & B\"\n")

    found = load_settings(_env_file=path)

    assert (found.api_port, found.seller_name) == (8123, "A & B")


def test_no_env_file_is_needed(tmp_path: Path):
    assert load_settings(_env_file=tmp_path / ".env").api_port == 8080

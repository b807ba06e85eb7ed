"""What `draggonnb up` fills in, hands to its children and shows."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from draggonnb_pipelines.cli.command_lines import signing_secrets
from draggonnb_pipelines.cli.installation import open_installation
from draggonnb_pipelines.cli.processes import Running
from draggonnb_pipelines.cli.up import addresses
from draggonnb_pipelines.settings import Settings, load_settings
from tests.conftest import MASTER_KEYS

OTHER_KEYS = "test:" + "A83vEjRWeJC83xI0VniQq83vEjRWeJC83xI0VniQq80="


def settings_of(master_dsn: str, folder: Path, **more: object) -> Settings:
    return load_settings(
        **{"_env_file": None, "master_dsn": master_dsn, "master_keys": MASTER_KEYS, "state_dir": folder} | more
    )


def test_each_installation_has_a_secret_of_its_own_for_the_sandboxs_webhooks(master_dsn: str, tmp_path: Path) -> None:
    with open_installation(settings_of(master_dsn, tmp_path)) as first:
        secret = first.whatsapp_signing_secret
    with open_installation(settings_of(master_dsn, tmp_path)) as again:
        assert again.whatsapp_signing_secret == secret
    with open_installation(settings_of(master_dsn, tmp_path, master_keys=OTHER_KEYS)) as other:
        assert other.whatsapp_signing_secret != secret

    assert secret is not None
    assert len(secret) == 64
    assert settings_of(master_dsn, tmp_path).whatsapp_signing_secret is None


def test_a_secret_that_was_set_stays(master_dsn: str, tmp_path: Path) -> None:
    with open_installation(settings_of(master_dsn, tmp_path, whatsapp_app_secret="set")) as opened:
        assert opened.whatsapp_signing_secret == "set"


def test_the_api_and_the_sandbox_get_the_same_secret(master_dsn: str, tmp_path: Path) -> None:
    with open_installation(settings_of(master_dsn, tmp_path)) as opened:
        given = signing_secrets(opened)

    assert given == dict.fromkeys(
        ("DRAGGONNB_WHATSAPP_APP_SECRET", "VENDOR_SANDBOX_WHATSAPP_APP_SECRET"), opened.whatsapp_signing_secret
    )


def test_metas_own_secret_is_not_given_to_the_sandbox(master_dsn: str, tmp_path: Path) -> None:
    real = {"whatsapp_token": "a-real-token", "whatsapp_app_secret": "real"}

    with open_installation(settings_of(master_dsn, tmp_path, **real)) as opened:
        assert signing_secrets(opened) == {"DRAGGONNB_WHATSAPP_APP_SECRET": "real"}


@pytest.mark.parametrize(
    "dsn", ["postgresql://me:hunter2@db.example/crm", "user=me password='hunter2 \\' x' host=db.example dbname=crm"]
)
def test_what_up_shows_names_the_database_without_its_password(dsn: str, tmp_path: Path) -> None:
    written = io.StringIO()

    Console(width=200, file=written).print(addresses(Running(settings_of(dsn, tmp_path))))

    shown = written.getvalue()
    assert "db.example" in shown
    assert "[redacted]" in shown
    assert "hunter2" not in shown
    assert "x'" not in shown

"""What `draggonnb up` fills in, hands to its children and shows."""

import io
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from rich.console import Console

from draggonnb_pipelines.cli.command_lines import environment, signing_secrets
from draggonnb_pipelines.cli.installation import open_installation
from draggonnb_pipelines.cli.processes import Running
from draggonnb_pipelines.cli.up import addresses
from draggonnb_pipelines.errors import OperatorError
from draggonnb_pipelines.resources.vault import Vault
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


def test_keys_that_open_nothing_of_what_is_there_are_refused_and_a_rotations_are_not(
    master_dsn: str, tmp_path: Path
) -> None:
    organization_id = uuid4()
    with psycopg.connect(master_dsn) as conn:
        conn.execute(
            "insert into organizations (id, slug, name, status, data_key_wrapped)"
            " values (%s, 'kloof', 'Kloof', 'active', %s)",
            (organization_id, Vault(MASTER_KEYS).new_data_key(organization_id)),
        )
    rotated = f"{OTHER_KEYS.replace('test:', 'next:')},{MASTER_KEYS}"

    with (
        pytest.raises(OperatorError) as caught,
        open_installation(settings_of(master_dsn, tmp_path, master_keys=OTHER_KEYS)),
    ):
        pass

    assert caught.value.message == "the master keys open nothing of what is sealed in this database"
    for keys in (MASTER_KEYS, rotated):
        with open_installation(settings_of(master_dsn, tmp_path, master_keys=keys)) as opened:
            assert opened.keys == keys


def test_a_state_directory_that_cannot_be_made_is_said_in_one_line(master_dsn: str) -> None:
    with (
        pytest.raises(OperatorError) as caught,
        open_installation(settings_of(master_dsn, Path("/dev/null/draggonnb"))),
    ):
        pass

    assert caught.value.message == "the state directory /dev/null/draggonnb cannot be made: Not a directory"


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


def test_the_processes_get_dagsters_database_that_is_set_and_none_is_made(master_dsn: str, tmp_path: Path) -> None:
    url = "postgresql+psycopg2://me:hunter2@db.example/runs"
    settings = settings_of(master_dsn, tmp_path, dagster_pg_url=url)

    assert environment(settings)["DRAGGONNB_DAGSTER_PG_URL"] == url

    with psycopg.connect(master_dsn) as conn:
        found = conn.execute("select 1 from pg_database where datname = current_database() || '_dagster'").fetchone()
    assert found is None


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

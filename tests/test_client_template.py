"""The client template: its database files are ours to the byte, its types are those of the migrated database, its
configuration and its list of variables are what the app is given."""

import re
import subprocess
import uuid
from pathlib import Path

import psycopg
from psycopg.sql import SQL, Identifier

from draggonnb_pipelines.domain.client_config import CONFIG_PATH, ClientConfig, public_variables
from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.resources.migrations import create_tenant_database
from draggonnb_pipelines.resources.postgres import dsn_for
from draggonnb_pipelines.sql import TENANT_MIGRATIONS, TENANT_SEED
from scripts.client_database_types import TYPES, database_types
from scripts.sync_client_template import COPIES, ROOT, SEED, SEED_COPY, SOURCE, sync, sync_seed

TEMPLATE = ROOT / "client_template"


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_templates_migrations_are_those_of_every_client():
    assert contents(COPIES) == contents(TENANT_MIGRATIONS), "run `make client-template`"


def test_the_templates_seed_is_that_of_every_client():
    assert SEED_COPY.read_bytes() == TENANT_SEED.read_bytes(), "run `make client-template`"


def test_the_script_copies_the_files_that_migrate():
    assert (SOURCE.resolve(), SEED.resolve()) == (TENANT_MIGRATIONS.resolve(), TENANT_SEED.resolve())


def test_the_script_copies_a_seed_that_differs_once(tmp_path: Path):
    source, copy = tmp_path / "source.sql", tmp_path / "copy.sql"
    source.write_text("new")
    copy.write_text("old")

    assert [sync_seed(source, copy), sync_seed(source, copy)] == [True, False]
    assert copy.read_text() == "new"


def test_the_apps_types_are_what_its_people_may_read_and_write(postgres_dsn: str, tenant_template: str):
    name = f"test_types_{uuid.uuid4().hex[:12]}"
    create_tenant_database(postgres_dsn, name, template=tenant_template)
    try:
        types = database_types(dsn_for(postgres_dsn, name))
    finally:
        with psycopg.connect(postgres_dsn, autocommit=True) as conn:
            conn.execute(SQL("drop database {} with (force)").format(Identifier(name)))

    assert types == TYPES.read_text(), "run `.venv/bin/python -m scripts.client_database_types`"
    assert "credentials_sealed" not in types
    assert "token_sealed" not in types


def test_the_example_of_the_environment_names_what_provisioning_sets():
    text = (TEMPLATE / ".env.example").read_text()
    organization = Organization(
        uuid.uuid4(), "kloof", "Kloof", "active", "Africa/Johannesburg", "en-ZA", None, None, None
    )
    public = public_variables(organization, supabase_url="", publishable_key="", site_url="")

    named = set(re.findall(r"^([A-Z_]+)=", text, flags=re.MULTILINE))

    assert named == {*public, "SUPABASE_SECRET_KEY", "DRAGGONNB_WEBHOOK_URL", "DRAGGONNB_WEBHOOK_TOKEN"}


def test_the_scripts_are_shell_that_can_be_read_and_run():
    scripts = sorted((TEMPLATE / "scripts").glob("*.sh"))

    assert [path.name for path in scripts] == ["provision-client.sh", "setup-env.sh"]
    for path in scripts:
        assert path.stat().st_mode & 0o111, path.name
        subprocess.run(["sh", "-n", str(path)], check=True)


def test_the_script_copies_what_is_new_or_changed_and_removes_what_is_gone(tmp_path: Path):
    source, copies = tmp_path / "source", tmp_path / "copies"
    for folder, files in (
        (source, {"1.sql": "same", "2.sql": "changed", "3.sql": "new"}),
        (copies, {"1.sql": "same", "2.sql": "old", "4.sql": "gone"}),
    ):
        folder.mkdir()
        for name, text in files.items():
            (folder / name).write_text(text)

    first, second = sync(source, copies), sync(source, copies)

    assert (first, second) == (["2.sql", "3.sql", "4.sql"], [])
    assert contents(copies) == contents(source)


def test_the_templates_configuration_is_a_valid_one_in_its_own_form():
    content = (TEMPLATE / CONFIG_PATH).read_bytes()

    config = ClientConfig.model_validate_json(content)

    assert (config.slug, config.encode()) == ("example-business", content)

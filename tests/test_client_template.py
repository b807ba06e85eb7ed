"""The client template: its migrations are ours to the byte, its configuration is one that the app is given."""

from pathlib import Path

from draggonnb_pipelines.domain.client_config import CONFIG_PATH, ClientConfig
from draggonnb_pipelines.sql import TENANT_MIGRATIONS
from scripts.sync_client_template import COPIES, ROOT, SOURCE, sync


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_templates_migrations_are_those_of_every_client():
    assert contents(COPIES) == contents(TENANT_MIGRATIONS), "run `make client-template`"


def test_the_script_copies_the_files_that_migrate():
    assert SOURCE.resolve() == TENANT_MIGRATIONS.resolve()


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
    content = (ROOT / "client_template" / CONFIG_PATH).read_bytes()

    config = ClientConfig.model_validate_json(content)

    assert (config.slug, config.encode()) == ("example-business", content)

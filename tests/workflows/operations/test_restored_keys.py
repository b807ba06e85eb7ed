"""A server comes back under keys that were put in place since: what of its backups still needs the old ones."""

from pathlib import Path

from pydantic import SecretStr

from draggonnb_pipelines.resources.stack import open_stack
from draggonnb_pipelines.workflows.operations.backups import back_up_all
from draggonnb_pipelines.workflows.operations.key_rotation import backups_by_key, reseal_all
from draggonnb_pipelines.workflows.operations.server_restores import restore_server
from tests.conftest import MASTER_KEYS, MakeOrganization
from tests.workflows.backup_work import BY, settings_of
from tests.workflows.operations.test_key_rotation import NEW
from tests.workflows.operations.test_server_restores import lose


async def test_the_backup_that_a_server_came_back_from_still_needs_the_key_of_its_file(
    master_dsn: str, make_organization: MakeOrganization, tmp_path: Path
):
    settings = settings_of(master_dsn, tmp_path, 1)
    await make_organization("kloof-coffee")
    async with open_stack(settings) as stack:
        await back_up_all(stack, [], by=BY)
    await lose(settings, [])
    both = settings.model_copy(update={"master_keys": SecretStr(f"{NEW},{MASTER_KEYS}")})

    await restore_server(both, by=BY)

    async with open_stack(both) as stack:
        await reseal_all(stack.master, stack.vault)
        assert await backups_by_key(stack.master) == {"test": 1}

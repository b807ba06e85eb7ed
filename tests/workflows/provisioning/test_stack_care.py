"""What was begun and stopped is brought to its end; a client in its days of grace is left alone."""

from datetime import timedelta
from pathlib import Path

from draggonnb_pipelines.errors import OperatorError
from draggonnb_pipelines.workflows.provisioning.offboarding import offboard
from draggonnb_pipelines.workflows.provisioning.removal import abort
from draggonnb_pipelines.workflows.provisioning.stack_care import care_for_stacks
from tests.sandbox_process import Sandbox
from tests.workflows.client_desk import Desk
from tests.workflows.lead_work import master_rows
from tests.workflows.stood_up import SLUG, stand_up


async def test_a_client_in_its_days_of_grace_is_neither_aborted_nor_erased_before_they_are_over(
    desk: Desk, supabase_sandbox: Sandbox, tmp_path: Path
) -> None:
    desk.stack.settings.state_dir = tmp_path
    standing = await stand_up(desk, supabase_sandbox)
    await offboard(standing.stack, SLUG, by="test", reason="moves away")

    early = await care_for_stacks(standing.stack)
    refused = ""
    try:
        await abort(standing.stack, SLUG, by="test")
    except OperatorError as error:
        refused = error.message

    assert (early.done, early.troubles) == ([], {})
    assert refused
    [row] = await master_rows(desk.stack, "select state from offboardings")
    assert row["state"] == "grace"
    assert len(supabase_sandbox.public("supabase")) == 1

    over = standing.at(standing.stack.now() + timedelta(days=31))
    late = await care_for_stacks(over.stack)

    assert late.done == [f"{SLUG}: erased"]
    assert [project for project in supabase_sandbox.public("supabase") if project["status"] != "REMOVED"] == []
    assert (await care_for_stacks(over.stack)).done == []

"""A restore that is killed at any moment leaves the old database or the new one, whole, and can be said again."""

import asyncio
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.errors import OperatorError
from draggonnb_pipelines.resources.database_names import databases
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.operations.backups import back_up_all
from draggonnb_pipelines.workflows.operations.restores import KEPT, drop_old, restore_tenant
from tests.conftest import MASTER_KEYS
from tests.workflows.backup_work import BY, add_people, master_actions, people

ROOT = Path(__file__).resolve().parents[3]
OLD, NEW = ["Thandi", "Zanele"], ["Thandi"]


@pytest.mark.parametrize("seconds", [0.0, 0.3, 0.6, 0.9, 1.2])
async def test_a_killed_restore_leaves_the_old_or_the_new(backup_stack: Stack, client: Organization, seconds: float):
    add_people(backup_stack, client, "Thandi")
    await back_up_all(backup_stack, by=BY)
    add_people(backup_stack, client, "Zanele")

    await asyncio.to_thread(_kill_a_restore_after, backup_stack, seconds)

    found, there = people(backup_stack, client), await databases(backup_stack.master.dsn)
    is_new = f"{client.database_name}{KEPT}" in there
    assert found == (NEW if is_new else OLD)
    if is_new:
        assert "backup.restore_begun" in master_actions(backup_stack)
        with pytest.raises(OperatorError, match="from an earlier restore"):
            await _restore(backup_stack)
        await drop_old(backup_stack, client.slug, by=BY)
    await _restore(backup_stack)
    assert people(backup_stack, client) == NEW


def _kill_a_restore_after(stack: Stack, seconds: float) -> None:
    environment = {
        **os.environ,
        "DRAGGONNB_MASTER_DSN": stack.settings.dsn,
        "DRAGGONNB_MASTER_KEYS": MASTER_KEYS,
        "DRAGGONNB_STATE_DIR": str(stack.settings.state_dir),
    }
    command = [sys.executable, "-m", "tests.workflows.restore_worker", "kloof-coffee"]
    with subprocess.Popen(command, env=environment, cwd=ROOT, stdout=subprocess.PIPE, text=True) as worker:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "begun\n"
        time.sleep(seconds)
        worker.kill()


async def _restore(stack: Stack) -> None:
    """The lock of the killed process goes when the server sees that its connection is gone."""
    for _ in range(50):
        try:
            await restore_tenant(stack, "kloof-coffee", by=BY)
            return
        except OperatorError as refusal:
            if "is at work" not in refusal.message:
                raise
            await asyncio.sleep(0.1)
    raise AssertionError("the lock of the killed process is still held")

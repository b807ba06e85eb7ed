"""The faults of `make faults`: two of them for real, and that each is described.

Not here: the faults themselves (`faults/`); `make faults` injects them all.
"""

import pytest

from faults.__main__ import inject
from faults.catalogue import all_faults
from faults.scene import open_scene
from faults.table import read


@pytest.mark.kill
@pytest.mark.timeout(600)
def test_a_killed_api_and_a_killed_daemon_are_told_of_and_lose_and_double_nothing() -> None:
    chosen = [one for one in all_faults() if one.name in ("api-killed", "daemon-killed")]

    with open_scene() as scene:
        seen = [inject(scene, one) for one in chosen]

    assert [(one.name, one.lost, one.doubled, one.wrong) for one in seen] == [
        ("api-killed", [], [], ""),
        ("daemon-killed", [], [], ""),
    ]
    assert [one.told and (one.told.where, one.told.words) for one in seen] == [
        ("draggonnb up", "api ended with -9; starting it again"),
        ("draggonnb up", "daemon ended with -9; starting it again"),
    ]
    assert all(one.came_in >= 3 for one in seen)


def test_no_two_faults_have_one_name_and_each_says_what_is_done_and_what_the_operator_does() -> None:
    faults = all_faults()

    assert len({one.name for one in faults}) == len(faults)
    assert [one.name for one in faults if not (one.done and one.operator)] == []


def test_what_was_seen_when_they_were_last_injected_is_kept_and_nothing_was_lost_or_doubled() -> None:
    seen = {one.name: one for one in read()}

    assert len(seen) >= 25
    assert set(seen) <= {one.name for one in all_faults()}
    assert [one.name for one in seen.values() if one.lost or one.doubled] == []
    assert all(one.told or one.skipped or one.wrong for one in seen.values())

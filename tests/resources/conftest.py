"""The HTTP door as this room's tests open it: it notes its waits instead of waiting, and its dice show one half."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from draggonnb_pipelines.resources.http import HttpDoor


@pytest.fixture
def waits() -> list[float]:
    return []


@pytest.fixture
async def door(waits: list[float]) -> AsyncIterator[HttpDoor]:
    async def note(seconds: float) -> None:
        waits.append(seconds)

    now = datetime(2026, 11, 23, 10, 0, 0, tzinfo=UTC)
    async with HttpDoor(user_agent="test/1", sleep=note, randomness=lambda: 0.5, now=lambda: now) as opened:
        yield opened

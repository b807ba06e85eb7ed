"""The running stack for the stories: started once per test module, since it takes seconds and CPU."""

from collections.abc import Iterator

import pytest

from tests.stories.system import System, running_system


@pytest.fixture(scope="module")
def system(postgres_dsn: str) -> Iterator[System]:
    with running_system(postgres_dsn) as running:
        yield running

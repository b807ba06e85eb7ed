"""One client with its app for all files of this folder: a stack, a build and a browser are started once."""

from collections.abc import Iterator

import pytest

from tests.client.app.stage import Stage, client_stage


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The first of them installs, builds and starts everything."""
    for item in items:
        if "app" in item.path.parts and "client" in item.path.parts:
            item.add_marker(pytest.mark.timeout(900))


@pytest.fixture(scope="package")
def stage(postgres_dsn: str) -> Iterator[Stage]:
    with client_stage(postgres_dsn) as made:
        yield made

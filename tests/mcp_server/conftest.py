"""An installation with two clients, and the server over it: in this process, or as the operator starts it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.resources.stack import Stack, open_stack
from draggonnb_pipelines.settings import Settings
from tests.cli.conftest import clean_environment
from tests.conftest import MASTER_KEYS, MakeOrganization
from tests.sandbox_process import free_port_pair

TOKEN = "a-token-of-the-tests-0123456789abcdef"


@pytest.fixture
async def stack(master_dsn: str) -> AsyncIterator[Stack]:
    """No vendor answers: what the tools do needs none."""
    settings = Settings(
        _env_file=None,  # pyright: ignore[reportCallIssue]
        master_dsn=master_dsn,
        master_keys=SecretStr(MASTER_KEYS),
        api_port=free_port_pair(),
        sandbox_port=free_port_pair(),
    )
    async with open_stack(settings) as opened:
        yield opened


@pytest.fixture
async def kloof(make_organization: MakeOrganization) -> Organization:
    return await make_organization("kloof-coffee")


@pytest.fixture
def environment(master_dsn: str, tmp_path: Path) -> dict[str, str]:
    """Of `draggonnb mcp` as a process of its own, over the same databases."""
    own = {"DRAGGONNB_MASTER_DSN": master_dsn, "DRAGGONNB_MASTER_KEYS": MASTER_KEYS, "DRAGGONNB_MCP_TOKEN": TOKEN}
    return clean_environment(tmp_path, **own)

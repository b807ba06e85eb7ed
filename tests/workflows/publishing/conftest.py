"""What only tests of the publishing workflow share as fixtures."""

from collections.abc import AsyncIterator

import pytest

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.resources.stack import Stack
from tests.workflows.lead_work import tenant_rows
from tests.workflows.publish_work import queue


@pytest.fixture
async def untouched_outsider(stack: Stack, outsider: Organization) -> AsyncIterator[None]:
    """Whatever is asked and answered, the outsider has nothing and hears nothing."""
    yield
    assert await queue(stack, outsider) == []
    assert (
        await tenant_rows(stack, outsider, "select 1 as n from audit_log where starts_with(action, 'publish.')") == []
    )

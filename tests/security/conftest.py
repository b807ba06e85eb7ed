"""Two clients, and the API as it runs in production (its fixtures are those of `tests/api`)."""

import pytest

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.resources.postgres import MasterDb, Tenants
from tests.api.conftest import api, api_settings, http, serve_api
from tests.conftest import MakeOrganization
from tests.security.two_clients import TwoClients, two_clients

__all__ = ["api", "api_settings", "http", "serve_api"]


@pytest.fixture
async def clients(
    make_organization: MakeOrganization, outsider: Organization, master: MasterDb, tenants: Tenants, master_dsn: str
) -> TwoClients:
    return await two_clients(make_organization, outsider, master, tenants, master_dsn)

"""The sealed tokens of connected accounts: put away, and opened for a call.

Not here: what replaces what (`domain/accounts.py`), and who stores the row.
"""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from draggonnb_pipelines.domain.accounts import Credentials
from draggonnb_pipelines.domain.publishing import Account, Platform
from draggonnb_pipelines.errors import ErrorClass, VendorError
from draggonnb_pipelines.resources.postgres import TenantDb
from draggonnb_pipelines.resources.vault import SealBroken


def seal_credentials(tenant: TenantDb, account_id: UUID, credentials: Credentials) -> bytes:
    """Only this client's key and this account open it again."""
    return tenant.key.seal(credentials.dump(), _context(tenant, account_id))


def open_credentials(tenant: TenantDb, row: Mapping[str, Any]) -> Credentials:
    """The tokens of a row with account_id, platform_id and credentials.

    Raises:
        VendorError: AUTH: there are none, or they do not open; only connecting the account anew helps.
    """
    if row["credentials"] is None:
        raise VendorError(row["platform_id"], ErrorClass.AUTH, "the account is disconnected")
    try:
        return Credentials.load(tenant.key.open(row["credentials"], _context(tenant, row["account_id"])))
    except SealBroken as error:
        raise VendorError(row["platform_id"], ErrorClass.AUTH, "the stored token does not open") from error


def account_of(row: Mapping[str, Any], credentials: Credentials) -> Account:
    """The account of a row, ready for a call."""
    return Account(Platform(row["platform_id"]), row["external_id"], credentials.access_token)


def _context(tenant: TenantDb, account_id: UUID) -> str:
    return f"social_account:{tenant.organization.id}:{account_id}"

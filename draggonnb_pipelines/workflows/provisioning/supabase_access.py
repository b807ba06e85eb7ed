"""What our access token must be allowed at Supabase.

Lives here: the look at token, organization and region; where a person puts right what is refused. Not here: when it is
looked at (`stack_access.py`), what the vendor's answers mean (`resources/supabase_wire.py`).
Source: supabase.com/docs/guides/platform/personal-access-tokens (scoped tokens, October 2026).
"""

from collections.abc import Iterator
from contextlib import contextmanager

from draggonnb_pipelines.errors import ErrorClass, VendorError
from draggonnb_pipelines.resources.supabase_management import SupabaseManagement
from draggonnb_pipelines.resources.supabase_wire import VENDOR
from draggonnb_pipelines.settings import Settings

TOKENS_PAGE = "https://supabase.com/dashboard/account/tokens"
PROJECT_PERMISSIONS = (
    "organization_admin_read, organization_projects_read, organization_projects_create, project_admin_read"
)
DATABASE_PERMISSIONS = "database_pooling_config_read"
KEY_PERMISSIONS = "api_gateway_keys_read and api_gateway_keys_write, with the keys' secrets"


@contextmanager
def where_to_allow(settings: Settings, permissions: str) -> Iterator[None]:
    """Complete what Supabase refuses us by the page on which a person changes it.

    Raises:
        VendorError: the same one, with more words where it is a person's matter.
    """
    try:
        yield
    except VendorError as error:
        organization = settings.supabase_organization
        if error.code == "quota" or error.status == 402:
            advice = f"make room at https://supabase.com/dashboard/org/{organization}/billing"
        elif error.status == 401:
            advice = f"the access token does not work: make a new one at {TOKENS_PAGE}"
        elif error.error_class is ErrorClass.PERMISSION:
            advice = f"give the access token {permissions} at {TOKENS_PAGE}"
        else:
            raise
        raise _with_message(error, f"{error.message}: {advice}") from error


async def look_at_supabase(settings: Settings, supabase: SupabaseManagement) -> None:
    """Our token works, sees our organization, and projects may be made in our region. Nothing is made.

    Whether the quota has room is not told by any call: the creation itself is refused, as the first one of a client.

    Raises:
        VendorError: CONFIG or PERMISSION, saying what to change on which page; others as sorted.
    """
    wanted, region = settings.supabase_organization, settings.supabase_region
    with where_to_allow(settings, PROJECT_PERMISSIONS):
        seen = [organization.slug for organization in await supabase.organizations()]
        if wanted not in seen:
            raise _config(
                f"the access token does not see the organization {wanted}: let it at {TOKENS_PAGE}, or correct"
                " DRAGGONNB_SUPABASE_ORGANIZATION_SLUG"
            )
        open_regions = sorted({one.code for one in await supabase.regions(wanted)})
        if region not in open_regions:
            words = f"no project can be made in {region}: set DRAGGONNB_SUPABASE_REGION to one of"
            raise _config(f"{words} {', '.join(open_regions)}")


def _config(message: str) -> VendorError:
    return VendorError(VENDOR, ErrorClass.CONFIG, message)


def _with_message(error: VendorError, message: str) -> VendorError:
    return VendorError(
        error.vendor,
        error.error_class,
        message,
        status=error.status,
        code=error.code,
        request_id=error.request_id,
        retry_after_seconds=error.retry_after_seconds,
    )

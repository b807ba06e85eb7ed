"""The login of a person of an organization, in the Supabase Auth of its own project: deleted there with the person.

Lives here: whose Auth it is, and the calls. Not here: the vendor's API (`resources/supabase_auth.py`), the rest of an
erasure (`person_erasure.py`).
"""

from uuid import UUID

from draggonnb_pipelines.domain.organizations import AGENCY_SLUG, Organization
from draggonnb_pipelines.domain.persons import Identity
from draggonnb_pipelines.domain.provisioning import project_name
from draggonnb_pipelines.errors import OperatorError, VendorError
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.operations.person_rows import Subject
from draggonnb_pipelines.workflows.provisioning.onboarding_email import AGENCY_KEY
from draggonnb_pipelines.workflows.provisioning.stack_clients import ledger_of


async def erase_logins(stack: Stack, organization: Organization, subject: Subject, typed: Identity) -> int | None:
    """Delete the person's logins, and return how many they are; said again, it deletes what is left.

    None: the person has none that is in our reach, since they are nobody of the organization, or its project is not
    one that we made.

    Args:
        typed: the address that the erasure was asked for. Somebody who was invited and never came has a login under it
            that no row names.

    Raises:
        OperatorError: the vendor did not take it; the erasure is said again.
    """
    access = await _access(stack, organization) if subject.users else None
    if access is None:
        return None
    auth, logins = stack.supabase_auth(*access), set(subject.logins)
    try:
        for email in typed.emails:
            if invited := await auth.find_user(email):
                logins.add(UUID(invited.id))
        for login in sorted(logins):
            await auth.delete_user(login)
    except VendorError as error:
        raise OperatorError(
            f"the login at Supabase could not be deleted: {error}",
            remedy="say it again later; the nightly keep_retention goes on with it too",
        ) from error
    return len(logins)


async def _access(stack: Stack, organization: Organization) -> tuple[str, str] | None:
    """The project and the agency's secret key to it."""
    if organization.slug == AGENCY_SLUG:
        return None
    ledger = await ledger_of(stack, organization.slug)
    ready = {(one.step, one.name): one for one in await ledger.resources() if one.is_ready}
    project, key = ready.get(("supabase_project", project_name(organization.slug))), ready.get(("api_keys", AGENCY_KEY))
    if project is None or key is None or project.vendor_id is None:
        return None
    return project.vendor_id, key.secrets["value"]

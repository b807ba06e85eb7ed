"""The doctor's probes of the social networks and of the clients' media: Meta, LinkedIn, X, Supabase Storage.

They only read: nothing is published, and no client's token is used. Does not live here: whether each account's token
is good (`draggonnb account list`), the other vendors (`service_probes.py`).
"""

from datetime import date

from draggonnb_pipelines.cli.findings import Finding, fault, note, ok
from draggonnb_pipelines.cli.service_probes import vendor_check, vendor_remedy
from draggonnb_pipelines.domain.publishing import Account, Platform
from draggonnb_pipelines.domain.vendor_versions import LINKEDIN_VERSIONS, NOTICE, newest_graph, sunset_of, version_ends
from draggonnb_pipelines.errors import ErrorClass, VendorError
from draggonnb_pipelines.resources.facebook import FacebookPages
from draggonnb_pipelines.resources.http import HttpDoor
from draggonnb_pipelines.resources.storage import MediaStorage
from draggonnb_pipelines.settings import SANDBOX_SECRET, Settings

NO_FILE = "draggonnb-doctor"


async def meta(settings: Settings, *, today: date) -> Finding:
    """The app's id and secret, by asking about the app's own token, and the version of the Graph API."""
    check = vendor_check("meta", "Meta", settings)
    app_id = settings.meta_app_id or SANDBOX_SECRET
    secret = settings.meta_app_secret.get_secret_value() if settings.meta_app_secret else SANDBOX_SECRET
    async with _door(settings) as door:
        pages = FacebookPages(door, base_url=settings.graph_url, app_id=app_id, app_secret=secret)
        try:
            # What it says about this token does not matter: that it was asked proves the app's own credentials.
            await pages.check(Account(Platform.FACEBOOK, app_id, f"{app_id}|{secret}"))
        except VendorError as error:
            variables = "DRAGGONNB_META_APP_ID and DRAGGONNB_META_APP_SECRET"
            return fault(check, str(error), vendor_remedy("meta", settings, variables))
    version = settings.graph_version
    end = version_ends(version)
    return version_finding(check, f"the app's token is taken, Graph {version}", end, today, _newest_graph())


def linkedin(settings: Settings, *, today: date) -> Finding:
    """Credentials and version; without a member's token LinkedIn has no call that would tell more."""
    check = vendor_check("linkedin", "LinkedIn", settings)
    version = settings.linkedin_version
    choose = f"set DRAGGONNB_LINKEDIN_VERSION to {max(LINKEDIN_VERSIONS)}"
    if version not in LINKEDIN_VERSIONS:
        return fault(check, f"the version {version} is none that we know; LinkedIn answers 426 to a wrong one", choose)
    return version_finding(check, f"the version {version}", sunset_of(version), today, choose)


def x(settings: Settings) -> Finding:
    """X counts every call, so none is made."""
    check = vendor_check("x", "X", settings)
    return ok(check, "the app's credentials are set" if settings.x_client_secret else "the sandbox's credentials")


async def storage(settings: Settings) -> Finding:
    """Asks for a file that is not there: only the Storage API, given the right key, says so in its own words."""
    check = vendor_check("storage", "media storage", settings)
    key = settings.storage_key.get_secret_value() if settings.storage_key else SANDBOX_SECRET
    variables = "DRAGGONNB_STORAGE_BASE_URL and DRAGGONNB_STORAGE_KEY"
    async with _door(settings) as door:
        try:
            await MediaStorage(door, base_url=settings.storage_url, key=key).sign("media", NO_FILE, seconds=1)
        except VendorError as error:
            if error.error_class is not ErrorClass.INPUT or error.code is None:
                return fault(check, str(error), vendor_remedy("storage", settings, variables))
    return ok(check, "it answers and takes the key")


def version_finding(check: str, what: str, end: date | None, today: date, choose: str) -> Finding:
    """What the end of an API version means today: a fault once it is over, a note in its last 60 days."""
    if end is None:
        return ok(check, what)
    if end <= today:
        return fault(check, f"{what}, which ended on {end}", choose)
    what = f"{what}, ends on {end}"
    return note(check, what, choose) if end - today < NOTICE else ok(check, what)


def _newest_graph() -> str:
    return f"set DRAGGONNB_GRAPH_VERSION to {newest_graph()}, after a look at Meta's changelog"


def _door(settings: Settings) -> HttpDoor:
    # Its retries come at once: a probe has no time for back-off.
    return HttpDoor(user_agent=settings.research_user_agent, randomness=lambda: 0.0)

"""Provisioning, the welcome: the client's first person, and the mail with the link to sign in.

Lives here: the person in Supabase Auth and in the client's database, the mail. Not here: the outbox that sends it once
(`client_mails.py`), the project and its keys (`supabase_project.py`, `api_keys.py`).

Auth makes a new link void the one before it. So a link is minted only while no mail is planned: whatever is run again
later sends, or has sent, the mail that holds the first one.
"""

from contextlib import suppress
from email.utils import parseaddr
from uuid import UUID

from draggonnb_pipelines.domain.contact_details import Unusable, phone_e164, region_of
from draggonnb_pipelines.domain.provisioning import Client, Resource, host_name, project_name, stable_id
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.resources.supabase_auth import VENDOR, SupabaseAuth
from draggonnb_pipelines.settings import Settings
from draggonnb_pipelines.sql import load_queries
from draggonnb_pipelines.workflows.pages import render
from draggonnb_pipelines.workflows.provisioning.client_mails import ClientMail, is_planned, plan_mails, send_planned
from draggonnb_pipelines.workflows.provisioning.stack_ledger import Ledger, Made

ONBOARDING = load_queries("onboarding")
STEP = "onboarding_email"
PERSON, MAIL = "owner", "welcome_mail"
AGENCY_KEY = "secret_agency"
# The longest that Auth allows: people read their mail the next morning.
LINK_HOURS = 24


async def onboarding_email(ledger: Ledger) -> Resource:
    """The owner can sign in and has one mail that says how; the mail's row.

    1. the person in the project's Auth, under an id of ours  2. the same person in the client's database
    3. one link, kept in the outbox with its mail  4. the mail, sent

    Raises:
        NotYet: the mail waits for the mail server.
        NeedsReview: the mail was refused for good.
        VendorError: sorted.
    """
    person = await ledger.plan(STEP, VENDOR, PERSON)
    mail = await ledger.plan(STEP, "mail", MAIL)
    if mail.is_ready:
        return mail  # from here on the people of this client are the client's business

    async def make_person(resource: Resource) -> Made:
        client = ledger.client
        metadata = {"full_name": client.owner_name}
        auth = await _auth(ledger)
        wanted = stable_id(client, client.owner_email.lower())
        user = await auth.create_user(wanted, client.owner_email, user_metadata=metadata)
        if resource.vendor_id and resource.vendor_id != user.id:
            await auth.delete_user(UUID(resource.vendor_id))  # the address was corrected: the other is a stranger's
        return Made(user.id)

    async def welcome(resource: Resource) -> Made:
        organization, recipient = ledger.client.organization, ledger.client.owner_email
        event_key = f"welcome:{organization.id}"
        if not await is_planned(ledger.stack, organization, event_key, recipient):
            link = await _mint_link(ledger)
            await plan_mails(ledger.stack, organization, [_welcome(ledger, event_key, link)])
        [sent_as] = await send_planned(ledger.stack, organization, event_key, [recipient])
        return Made(sent_as)

    person = await ledger.put(person, make_person)
    assert person.vendor_id is not None
    await _introduce(ledger, UUID(person.vendor_id))
    return await ledger.put(mail, welcome)


def app_url(stack: Stack, client: Client) -> str:
    """Where the client's app answers."""
    return stack.settings.vercel_site_url.format(host=host_name(client.slug, stack.settings.vercel_domain))


async def _auth(ledger: Ledger) -> SupabaseAuth:
    project = await ledger.resource("supabase_project", project_name(ledger.client.slug))
    key = await ledger.resource("api_keys", AGENCY_KEY)
    assert project.vendor_id is not None
    return ledger.stack.supabase_auth(project.vendor_id, key.secrets["value"])


async def _introduce(ledger: Ledger, auth_user_id: UUID) -> None:
    client = ledger.client
    phone = None
    with suppress(Unusable):  # a number that nobody can call is left out, and no reason to stop
        phone = phone_e164(client.owner_phone or "", region_of(client.organization.locale))
    async with ledger.stack.tenants.open(client.organization) as tenant, tenant.conn.transaction():
        await ONBOARDING.retire_other_owners(tenant.conn, email=client.owner_email)
        await ONBOARDING.put_first_person(
            tenant.conn,
            auth_user_id=auth_user_id,
            email=client.owner_email,
            full_name=client.owner_name or None,
            phone_e164=phone,
        )


async def _mint_link(ledger: Ledger) -> str:
    """A link that leads into the client's app, which Auth must know for its own first."""
    client, stack = ledger.client, ledger.stack
    project = await ledger.resource("supabase_project", project_name(client.slug))
    assert project.vendor_id is not None
    app = app_url(stack, client)
    # People come in by invitation: whoever could sign up by themselves could wait there with a member's address.
    settings = {"site_url": app, "mailer_otp_exp": LINK_HOURS * 3600, "disable_signup": True}
    await stack.supabase.update_auth_config(project.vendor_id, settings | _mailer(stack.settings))
    auth = await _auth(ledger)
    return await auth.generate_link("recovery", client.owner_email, redirect_to=app)


def _mailer(settings: Settings) -> dict[str, str]:
    """Our mail server as the project's Auth takes it, so that the app's invitations and links go out: the server that a
    project starts with writes to the project's own team only. Nothing where real projects would get the sandbox's."""
    if "mail" in settings.sandboxed_vendors and "supabase" not in settings.sandboxed_vendors:
        return {}
    (host, port), (name, address) = settings.smtp_address, parseaddr(settings.mail_from)
    password = settings.smtp_password.get_secret_value() if settings.smtp_password else ""
    return {
        "smtp_host": host,
        "smtp_port": str(port),
        "smtp_user": settings.smtp_user or "",
        "smtp_pass": password,
        "smtp_admin_email": address,
        "smtp_sender_name": name,
    }


def _welcome(ledger: Ledger, event_key: str, link: str) -> ClientMail:
    client = ledger.client
    subject = f"Welcome: {client.organization.name} is ready for you to sign in"
    values = {
        "subject": subject,
        "client": client,
        "app_url": app_url(ledger.stack, client),
        "link": link,
        "link_hours": LINK_HOURS,
        "agency": ledger.stack.settings.seller_name,
    }
    text, html = render("welcome_mail.txt.j2", **values), render("welcome_mail.html.j2", **values)
    return ClientMail(event_key, client.owner_email, subject, text, html)

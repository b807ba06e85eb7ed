"""What vendors do: Claude, the networks, mail, WhatsApp, media and web sites that are slow, full, silent or gone.

Each is scripted in the sandbox, on the wire. Not here: payments and clients' stacks (`stacks.py`), a certificate
(`certificates.py`), the machine (`machine.py`).
"""

import time
from typing import Any

from draggonnb_pipelines.domain.publishing import Platform
from faults.catalogue import fault
from faults.scene import Scene
from faults.telling import Told, Voice, alert, doctor, inbox, listen, mail, queue
from tests.workflows.publish_work import PLATFORM_IDS, account_id_of

CLAUDE = "* /anthropic/*"
WRITER = "kloof-coffee"
INSIDE = "http://169.254.169.254/latest/meta-data/"
BY_ITSELF = "nothing: they wait, and go on by themselves"
READ_BACK = "nothing: the network is read back before anything is sent again"


@fault("claude-overloaded", done="Claude answers 529 to everything for a minute", operator=BY_ITSELF)
def claude_overloaded(scene: Scene) -> Told:
    scene.sandbox.faults(CLAUDE, {"kind": "status", "status": 529}, repeat=True)
    told = listen(scene, inbox(scene, "claude: retry: HTTP 529"), seconds=120)
    time.sleep(max(60 - scene.seconds, 0))
    return told


@fault("claude-hangs", done="Claude takes questions and answers none, until its connections break", operator=BY_ITSELF)
def claude_hangs(scene: Scene) -> Told:
    scene.sandbox.faults(CLAUDE, {"kind": "accept_then_hang"}, repeat=True)
    try:
        return listen(scene, doctor(scene, "Claude FAULT"), seconds=120)
    finally:
        scene.sandbox.clear_faults()
        scene.sandbox.disconnect()


@fault("x-answer-lost", done="X takes two posts and hangs up before it answers", operator=READ_BACK)
def x_answer_lost(scene: Scene) -> Told:
    scene.sandbox.faults("POST /x/2/tweets", {"kind": "accept_then_drop", "times": 2})
    return _told_by_queue(scene, "unknown: connection lost")


@fault("linkedin-answer-lost", done="LinkedIn takes two posts and its gateway answers 504", operator=READ_BACK)
def linkedin_answer_lost(scene: Scene) -> Told:
    step = {"kind": "accept_then_status", "status": 504, "times": 2}
    scene.sandbox.faults("POST /linkedin/rest/posts", step)
    return _told_by_queue(scene, "unknown: ")


@fault("x-throttled", done="X answers 429 with Retry-After: 20 to five posts", operator=BY_ITSELF)
def x_throttled(scene: Scene) -> Told:
    scene.sandbox.faults("POST /x/2/tweets", {"kind": "rate_limit", "retry_after": 20, "times": 5})
    return _told_by_queue(scene, "scheduled: ")


@fault(
    "token-revoked",
    done="Facebook takes a client's token back, with posts waiting",
    operator="has the account connected again: `draggonnb account connect`; its posts then go out by themselves",
)
def token_revoked(scene: Scene) -> Told:
    account = account_id_of(scene.system.clients[WRITER].organization, Platform.FACEBOOK)
    scene.sandbox.social_revoke("facebook", f"sandbox-{account}")
    try:
        _post_everywhere(scene)
        return listen(scene, alert(scene, "must be connected again", WRITER), seconds=120)
    finally:
        scene.sandbox.social_account("facebook", account, f"sandbox-{account}")
        handle = ("--handle", f"@{WRITER}")
        connected = scene.draggonnb("account", "connect", WRITER, "facebook", account, *handle, "--sandbox")
        assert connected.returncode == 0, connected.stderr


@fault(
    "media-redirects-inside", done="the media storage redirects to an address of our own network", operator=BY_ITSELF
)
def media_redirects_inside(scene: Scene) -> Told:
    step = {"kind": "status", "status": 302, "headers": {"location": INSIDE}, "body": ""}
    scene.sandbox.faults("GET /supabase/storage/v1/object/sign/*", step, repeat=True)
    return _told_by_queue(scene, "a redirect, which is not followed")


@fault(
    "website-redirects-inside",
    done="a lead's web site redirects to an address of our own network",
    operator="nothing: the page is not fetched, and the analysis says that it had none",
)
def website_redirects_inside(scene: Scene) -> Told:
    step = {"kind": "status", "status": 302, "headers": {"location": INSIDE}, "body": ""}
    scene.sandbox.faults("GET *.example/*", step, repeat=True)
    query = "select distinct status || ': ' || findings::text as said from company_profiles where fetched_at >= %s"

    def says() -> str | None:
        rows = [row["said"] for client in scene.clients for row in scene.rows(client, query, scene.began_at)]
        return next((said for said in rows if said.startswith("refused")), None)

    return listen(scene, Voice("the lead's company profile", says), seconds=120)


@fault("smtp-down", done="the mail server closes every connection for half a minute", operator=BY_ITSELF)
def smtp_down(scene: Scene) -> Told:
    scene.sandbox.faults("SMTP CONNECT", {"kind": "drop_before_accept"}, repeat=True)
    told = listen(scene, inbox(scene, "mail: "), doctor(scene, "SMTP (SANDBOX) FAULT"), seconds=120)
    time.sleep(max(30 - scene.seconds, 0))
    return told


@fault(
    "template-paused",
    done="WhatsApp pauses a template that we send, and news goes out by it",
    operator="looks at its quality in WhatsApp Manager; its news goes out by mail until then",
)
def template_paused(scene: Scene) -> Told:
    name = "lead_needs_review"
    before = len(_of_owner(scene, "A lead needs you"))
    scene.sandbox.whatsapp_template(name, "PAUSED")
    try:
        scene.system.launch("watch_message_templates", {})
        told = listen(scene, mail(scene, f"{name} (en) is PAUSED"), seconds=120)
        _send_unanswerable_lead(scene)
        reached = lambda: len(_of_owner(scene, "A lead needs you")) - before  # noqa: E731
        scene.system.wait_until("the news has come by mail", lambda: reached() == 1, seconds=120)
        return told
    finally:
        scene.sandbox.whatsapp_template(name, "APPROVED")
        scene.system.launch("watch_message_templates", {})


def _send_unanswerable_lead(scene: Scene) -> None:
    """A lead of the agency's own, which Claude does not want to speak about: a person must look at it."""
    company = f"Quiet Harbour {scene.began_at:%H%M%S}"
    scene.sandbox.faults("POST /anthropic/v1/messages", {"kind": "refusal", "match": company}, repeat=True)
    lead: dict[str, object] = {"name": "Front desk", "company": company, "message": "Please call."}
    lead["email"] = f"desk@{company.lower().replace(' ', '-')}.example"
    answer = scene.system.post_lead(scene.agency, lead, company)
    assert answer.status_code == 202, answer.text


def _of_owner(scene: Scene, subject: str) -> list[dict[str, Any]]:
    owner = f"sales@{scene.agency}.example"
    return [one for one in scene.sandbox.public("mail") if one["recipient"] == owner and subject in one["subject"]]


def _told_by_queue(scene: Scene, about: str) -> Told:
    """Posts on every network, and what the queues of the clients say of them."""
    _post_everywhere(scene)
    return listen(scene, *(queue(scene, client, about) for client in scene.clients), seconds=120)


def _post_everywhere(scene: Scene) -> None:
    """One post for each network alone and one for all of them."""
    for _ in range(len(PLATFORM_IDS) + 1):
        scene.work.post(WRITER)

"""Where a run that sets a client up, or takes it down, is killed: every call that makes, changes or removes something,
at each moment around it.

Not here: how it is hit there (`provisioning_world.py`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

Moment = Literal["before", "late", "unheard", "unwritten", "error"]
MOMENTS: dict[Moment, str] = {
    "before": "killed as the request arrives; the vendor never does it",
    "late": "killed as the request arrives; the vendor does it after that",
    "unheard": "killed when the vendor has done it; its answer is not heard",
    "unwritten": "killed when its answer is there, and not written down",
    "error": "not killed: the vendor has done it and says 500, or hangs up",
}
FAULTS: dict[Moment, dict[str, Any]] = {
    "before": {"kind": "drop_before_accept", "seconds": 5},
    "late": {"kind": "latency", "seconds": 0.6},
    "unheard": {"kind": "accept_then_hang"},
    "unwritten": {"kind": "latency", "seconds": 0.3},
    "error": {"kind": "accept_then_status", "status": 500},
}
# A mail server forgets the mail of a connection that is lost.
MAIL_FAULTS = FAULTS | {
    "before": {"kind": "latency", "seconds": 5},
    "error": {"kind": "drop_after_data"},
}
SUPABASE, GITHUB, VERCEL, N8N = (
    *("/supabase/v1/projects", "/github/repos/{owner}/{name}"),
    *("/vercel", "/n8n/api/v1"),
)
AUTH, REFS = "/supabase/projects/{ref}/auth/v1/admin", f"PATCH {GITHUB}/git/refs/heads/main"
POOLER = f"GET {SUPABASE}/{{ref}}/config/database/pooler"
SALES = "sales@draggonnb.example"


@dataclass(frozen=True)
class Hold:
    """A statement in a transaction that stays open, so that a run that comes to the same place waits there.

    Args:
        database: the master's, the client's or the agency's. `slug` and `step` are parameters of the statement.
    """

    database: Literal["master", "client", "agency"]
    statement: str


ROWS = Hold(
    "master",
    "select from stack_resources r join organizations o on o.id = r.organization_id"
    " where o.slug = %(slug)s and r.step = %(step)s for update of r",
)
OUTBOX, AGENCY_OUTBOX = (
    Hold(database, "lock table notification_deliveries in share mode") for database in ("client", "agency")
)
AI_LOG = Hold("client", "lock table ai_generation_log in share mode")


@dataclass(frozen=True)
class Call:
    """One call of a step, known by its route, a word in it, and how many of these came before it.

    `writes`: what holds up the writing of its answer; None where the next call follows at once.
    """

    step: str
    route: str
    words: str = ""
    number: int = 1
    writes: Hold | None = ROWS

    @property
    def name(self) -> str:
        words = f" {self.words}" if self.words else ""
        return self.route + words + (f" ({self.number})" if self.number > 1 else "")


@dataclass(frozen=True)
class Point:
    """Where and when. `hold` is for "unwritten"; `place` says what it holds up, if not the writing of the answer."""

    call: Call
    moment: Moment
    hold: Hold | None = None
    place: str = ""

    @property
    def steps(self) -> list[dict[str, Any]]:
        """The fault script: calls before this one pass."""
        call = self.call
        faults = MAIL_FAULTS if call.route.startswith("SMTP") else FAULTS
        match = {"match": call.words} if call.words else {}
        passing = [{"kind": "latency", "seconds": 0, "times": call.number - 1, **match}] * (call.number > 1)
        return [*passing, {**faults[self.moment], **match}]

    @property
    def name(self) -> str:
        return f"{self.call.step}: {self.call.name} {self.moment}" + (f" {self.place}" if self.place else "")


def mail(step: str, recipient: str, number: int, outbox: Hold) -> Call:
    return Call(step, "SMTP DATA", recipient, number, outbox)


CALLS = (
    Call("supabase_project", f"POST {SUPABASE}"),
    Call("api_keys", f"POST {SUPABASE}/{{ref}}/api-keys"),
    Call("api_keys", f"POST {SUPABASE}/{{ref}}/api-keys", number=4),
    Call("github_repo", f"POST {GITHUB}/generate", writes=None),
    Call("github_repo", f"PUT {GITHUB}/topics"),
    Call("github_repo", f"POST {GITHUB}/git/commits", writes=None),
    Call("github_repo", REFS),
    Call("github_repo", f"PUT {GITHUB}/actions/secrets/{{secret}}", number=2, writes=None),
    Call("github_repo", f"POST {GITHUB}/actions/variables", number=6),
    Call("environment", f"POST {VERCEL}/v11/projects"),
    Call("environment", f"POST {VERCEL}/v10/projects/{{id}}/env"),
    Call("vercel_deployment", f"POST {VERCEL}/v10/projects/{{id}}/domains"),
    Call("vercel_deployment", f"POST {VERCEL}/v13/deployments"),
    Call("n8n_webhooks", f"POST {N8N}/credentials", writes=None),
    Call("n8n_webhooks", f"POST {N8N}/workflows"),
    Call("n8n_webhooks", f"POST {N8N}/workflows/{{id}}/publish"),
    Call("n8n_webhooks", f"POST {N8N}/workflows", number=3),
    Call("onboarding_email", f"POST {AUTH}/users"),
    Call("onboarding_email", f"PATCH {SUPABASE}/{{ref}}/config/auth", writes=None),
    Call("onboarding_email", f"POST {AUTH}/generate_link", writes=OUTBOX),
    mail("onboarding_email", "owner@", 1, OUTBOX),
    Call("training_materials", "POST /anthropic/v1/messages", writes=AI_LOG),
    Call("training_materials", f"POST {GITHUB}/git/commits", number=2, writes=None),
    Call("training_materials", REFS, number=2),
    mail("kickoff_call", "owner@", 2, OUTBOX),
    mail("kickoff_call", SALES, 1, AGENCY_OUTBOX),
    mail("kickoff_call", "owner@", 3, OUTBOX),
    mail("kickoff_call", SALES, 2, AGENCY_OUTBOX),
)
# What only touches databases begins after this call, and is held up where it writes.
_SCHEMA = Call("tenant_schema", POOLER, number=2)
_SALES_INVITED, _SALES_TOLD = (mail("kickoff_call", SALES, number, AGENCY_OUTBOX) for number in (1, 2))
_TRAINED = Call("kickoff_call", REFS, number=2)
IN_CLIENTS_DATABASE = Point(
    Call("n8n_webhooks", f"POST {N8N}/workflows/{{id}}/publish", number=3),
    *("unwritten", Hold("client", "lock table n8n_webhooks in share mode"), "in the client's database"),
)
PLACES = (
    Point(_SCHEMA, "before"),
    Point(_SCHEMA, "unwritten", Hold("client", "create table organizations ()"), "in its first migration"),
    Point(_SCHEMA, "unwritten", Hold("client", "create table review_decisions ()"), "in a late migration"),
    Point(
        *(_SCHEMA, "unwritten"),
        Hold("master", "select from organizations where slug = %(slug)s for no key update"),
        "before it is the organization's",
    ),
    Point(_SCHEMA, "unwritten", ROWS),
    IN_CLIENTS_DATABASE,
    Point(
        Call("onboarding_email", f"POST {AUTH}/users"),
        *("unwritten", Hold("client", "lock table users in share mode"), "in the client's database"),
    ),
    Point(_TRAINED, "unwritten", Hold("master", "lock table kickoff_calls in share mode"), "before the half hour"),
    Point(_TRAINED, "unwritten", OUTBOX, "with the half hour, before any mail"),
    Point(_SALES_INVITED, "unwritten", Hold("client", "lock table activities in share mode"), "before the activity"),
    Point(
        *(_SALES_TOLD, "unwritten"),
        Hold(
            "master",
            "select from provisionings p join organizations o on o.id = p.organization_id"
            " where o.slug = %(slug)s for update of p",
        ),
        "before it is done",
    ),
)


def around(call: Call) -> Sequence[Point]:
    """Every moment of one call that there is."""
    is_mail = call.route.startswith("SMTP")
    moments: list[Moment] = [moment for moment in MOMENTS if not (moment == "late" and is_mail)]
    return [Point(call, moment, call.writes) for moment in moments if call.writes or moment != "unwritten"]


POINTS = (*(point for call in CALLS for point in around(call)), *PLACES)


@dataclass(frozen=True)
class Abort:
    """A client whose runs are killed, one after the other at the points of `stopped`, and that is aborted then; the
    abort is killed too, and begun again."""

    stopped: tuple[Point, ...]
    removing: Point

    @property
    def name(self) -> str:
        return "; ".join(point.name for point in (*self.stopped, self.removing))


def _stop(step: str) -> Point:
    """Where nobody knows what the vendor will have of the step: its first call is done after the run's death."""
    if step == "tenant_schema":
        return PLACES[1]
    first = next(call for call in CALLS if call.step == step)
    return Point(first, "unheard" if first.route.startswith("SMTP") else "late")


_PROJECT = Call("supabase_project", f"DELETE {SUPABASE}/{{ref}}")
_REPO = Call("github_repo", f"DELETE {GITHUB}")
_SITE = Call("environment", f"DELETE {VERCEL}/v9/projects/{{id}}")
_ENTRY = Call("n8n_webhooks", f"POST {N8N}/workflows/{{id}}/archive")
_TOKEN = Call("n8n_webhooks", f"DELETE {N8N}/credentials/{{id}}")
_CANCELLED = mail("kickoff_call", "owner@", 1, AGENCY_OUTBOX)
_REMOVING = {
    "supabase_project": (_PROJECT,),
    "tenant_schema": (_PROJECT,),
    "api_keys": (_PROJECT,),
    "github_repo": (_REPO, _PROJECT),
    "environment": (_SITE, _REPO),
    "vercel_deployment": (_SITE,),
    "n8n_webhooks": (_TOKEN, _SITE),
    "onboarding_email": (_ENTRY, _PROJECT),
    "training_materials": (_REPO,),
    "kickoff_call": (_CANCELLED, _ENTRY, _TOKEN, _SITE, _REPO, _PROJECT),
}
# What stands already is put again by every run: also that may be done after its death.
_PUT_AGAIN = next(call for call in CALLS if call.route.endswith("/credentials"))
ABORTS = (
    *(
        Abort((_stop(step),), point)
        for step, calls in _REMOVING.items()
        for call in calls
        for point in around(call)
        if point.moment != "error"
    ),
    Abort((IN_CLIENTS_DATABASE, Point(_PUT_AGAIN, "late")), Point(_SITE, "unheard")),
)

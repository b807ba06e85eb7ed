"""GET /reviews/{token} and the answer to it: where a client approves a post without an account.

Lives here: reading the answer, and which page or notice belongs to which state.
Not here: what a token stands for and the decision itself (`workflows/content/review_decisions.py`), what the page
shows of a post (`review_page.py`), what all public pages have in common (`pages.py`).
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, get_args

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from draggonnb_pipelines.api import pages
from draggonnb_pipelines.api.problems import Problem
from draggonnb_pipelines.api.review_page import review_html
from draggonnb_pipelines.domain.contact_details import Unusable, paragraphs
from draggonnb_pipelines.resources.postgres import MasterDb, Tenants
from draggonnb_pipelines.workflows.content.review_decisions import REVIEWS, Decision, Review, decide, open_review

MAX_COMMENT_CHARS = 4000
Answer = Literal["approve", "changes", "reject"]
DECISIONS: dict[str, Decision] = {"approve": "approved", "changes": "changes_requested", "reject": "rejected"}
# States in which the post itself is not shown, and what the notice answers with.
NOTICES = {"revoked": 403, "expired": 410, "changed": 410}
router = APIRouter(tags=["reviews"])


@dataclass(slots=True)
class ReviewForm:
    """What the reviewer sent, given back with what is wrong."""

    decision: str = ""
    comment: str = ""
    errors: dict[str, str] = field(default_factory=dict)


@router.head("/reviews/{token}", include_in_schema=False)
@router.get("/reviews/{token}", response_class=HTMLResponse)
async def show_review(request: Request, token: str) -> Response:
    """The post as it would appear, with the form or what has become of it."""
    if refusal := pages.throttle(request, "review"):
        return refusal
    now = request.app.state.now()
    try:
        review = await _review(request, token)
        if review is None:
            return pages.message("review", "unknown", 404)
        if request.method == "GET":
            async with _master(request).connection() as conn:
                await REVIEWS.note_review_view(conn, token_sha256=review.token_sha256, now=now)
    except pages.UNAVAILABLE as error:
        return pages.unavailable("review", error)
    return _page(review, token, now, ReviewForm())


@router.post("/reviews/{token}", response_class=HTMLResponse)
async def answer_review(request: Request, token: str) -> Response:
    """Record the decision once; then back to the page, which says what comes next."""
    if refusal := pages.throttle(request, "review"):
        return refusal
    try:
        form = await _read_form(request)
    except Problem as problem:
        return pages.message("review", "unreadable", problem.kind.status)
    now = request.app.state.now()
    try:
        review = await _review(request, token)
        if review is None:
            return pages.message("review", "unknown", 404)
        if review.state(now) == "open":
            if form.errors:
                return _page(review, token, now, form, status=422)
            await decide(_master(request), _tenants(request), review, DECISIONS[form.decision], form.comment, now=now)
            review = await _review(request, token)
    except pages.UNAVAILABLE as error:
        return pages.unavailable("review", error)
    if review is None:
        return pages.message("review", "unknown", 404)
    if review.state(now) == DECISIONS.get(form.decision):
        return pages.back_to(f"/reviews/{token}#decision")  # also for a second click, and a colleague of one mind
    return _page(review, token, now, form, status=409)


async def _review(request: Request, token: str) -> Review | None:
    return await open_review(_master(request), _tenants(request), token)


async def _read_form(request: Request) -> ReviewForm:
    typed = await pages.form_texts(request, "decision", "comment")
    form = ReviewForm(decision=typed["decision"], comment=typed["comment"])
    if form.decision not in get_args(Answer):
        form.errors["decision"] = "Please choose one of the three answers."
    try:
        form.comment = paragraphs(form.comment, MAX_COMMENT_CHARS) or ""
        if not form.comment and form.decision in ("changes", "reject"):
            what = "is to change" if form.decision == "changes" else "speaks against the post"
            form.errors["comment"] = f"Please say what {what}."
    except Unusable as error:
        form.errors["comment"] = f"Your comment {error}."
    return form


def _page(review: Review, token: str, now: datetime, form: ReviewForm, status: int = 200) -> Response:
    state = review.state(now)
    if notice := NOTICES.get(state):
        return pages.message("review", state, 409 if status == 409 and state == "changed" else notice)
    return pages.document(review_html(review, state, now, form=form, action=f"/reviews/{token}"), status)


def _master(request: Request) -> MasterDb:
    return request.app.state.master


def _tenants(request: Request) -> Tenants:
    return request.app.state.tenants

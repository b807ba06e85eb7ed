"""GET and POST /unsubscribe/{token}: how a reader ends mails of a kind without an account (RFC 8058).

Lives here: the page and the one click. GET changes nothing, since mail programs and scanners follow every link in a
mail. Not here: what a token stands for and what is ended (`workflows/messages/unsubscribing.py`).
"""

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from draggonnb_pipelines.api import pages
from draggonnb_pipelines.workflows.messages.unsubscribing import Subscription, subscription_of, unsubscribe

router = APIRouter(tags=["unsubscribe"])


@router.head("/unsubscribe/{token}", include_in_schema=False)
@router.get("/unsubscribe/{token}", response_class=HTMLResponse)
async def show_subscription(request: Request, token: str) -> Response:
    """What would be ended, and the button that ends it."""
    return await _answer(request, token, is_click=False)


@router.post("/unsubscribe/{token}", response_class=HTMLResponse)
async def end_subscription(request: Request, token: str) -> Response:
    """End it; the button of the page and the one click of a mail program alike. The body says nothing more."""
    return await _answer(request, token, is_click=True)


async def _answer(request: Request, token: str, *, is_click: bool) -> Response:
    if refusal := pages.throttle(request, "subscription"):
        return refusal
    master, tenants = request.app.state.master, request.app.state.tenants
    try:
        subscription = await subscription_of(master, tenants, token)
        if subscription is None:
            return pages.message("subscription", "unknown", 404)
        if is_click:
            await unsubscribe(tenants, subscription)
    except pages.UNAVAILABLE as error:
        return pages.unavailable("subscription", error)
    return _page(subscription, token, is_ended=is_click or subscription.is_ended)


def _page(subscription: Subscription, token: str, *, is_ended: bool) -> Response:
    template = pages.environment().get_template("unsubscribe.html.j2")
    return pages.document(template.render(subscription=subscription, token=token, is_ended=is_ended))

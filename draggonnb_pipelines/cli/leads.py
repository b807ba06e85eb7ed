"""`draggonnb lead send`: a lead into the running API, as the organization's web form sends it.

Does not live here: the webhook (`api/leads.py`). The database is only asked for the organization's token.
"""

import asyncio
import json
from typing import Any
from uuid import uuid4

import httpx

from draggonnb_pipelines.cli.inbox import operator
from draggonnb_pipelines.cli.screen import cell, console
from draggonnb_pipelines.cli.session import ORGANIZATIONS, installation, session
from draggonnb_pipelines.errors import OperatorError
from draggonnb_pipelines.settings import Settings
from draggonnb_pipelines.workflows.organizations import webhook_token

TIMEOUT_SECONDS = 15


def send(slug: str, fields: dict[str, str], *, delivery_id: str | None) -> None:
    """Post the fields and say what happened.

    Raises:
        OperatorError: the API does not run, or refuses the lead; nothing was stored then.
    """
    delivery_id = delivery_id or f"cli-{uuid4()}"
    with installation() as settings:
        token = asyncio.run(_token(settings, slug))
        answer = _post(settings, slug, token, fields, delivery_id)
        if answer.status_code == 202:
            asyncio.run(_audit(settings, slug, delivery_id))
    _tell(slug, answer, delivery_id)


async def _token(settings: Settings, slug: str) -> str:
    async with session(settings) as opened:
        return webhook_token(await opened.organization(slug), opened.tenants)


async def _audit(settings: Settings, slug: str, delivery_id: str) -> None:
    """The inbox does not tell an operator's lead from one of the web form."""
    metadata = json.dumps({"delivery": delivery_id})
    async with session(settings) as opened, opened.master.connection() as conn:
        await ORGANIZATIONS.audit(
            conn, actor=f"operator:{operator()}", action="lead.sent", resource=f"organization:{slug}", metadata=metadata
        )


def api_url(settings: Settings) -> str:
    """The API on this machine; the public address may lead through a proxy that is not up."""
    host = "127.0.0.1" if settings.api_host in ("0.0.0.0", "::", "") else settings.api_host
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.api_port}"


def _post(settings: Settings, slug: str, token: str, fields: dict[str, str], delivery_id: str) -> httpx.Response:
    url = f"{api_url(settings)}/webhook/{slug}/leads"
    headers = {"X-Webhook-Token": token, "X-Delivery-Id": delivery_id}
    body = {**fields, "source": "web_form"}
    try:
        return httpx.post(url, data=body, headers=headers, timeout=TIMEOUT_SECONDS, trust_env=False)
    except httpx.ConnectError as error:
        raise OperatorError(
            f"the API does not answer at {api_url(settings)}",
            remedy="start it with `draggonnb up` in another terminal; where that took another port, set "
            "DRAGGONNB_API_PORT to it",
        ) from error
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        raise OperatorError(
            f"no answer from {api_url(settings)}: {type(error).__name__}: {error}",
            remedy=f"it may be stored: send it again with --delivery-id {delivery_id}, then it is not taken twice",
        ) from error


def _tell(slug: str, answer: httpx.Response, delivery_id: str) -> None:
    body = _json(answer)
    if answer.status_code != 202 or "id" not in body:
        raise _refusal(answer.status_code, body)
    screen = console()
    if not body.get("duplicate"):
        screen.print(cell(f"accepted: inbox row {body['id']}, delivery {delivery_id}", "green"))
        screen.print(cell(f"follow it: draggonnb inbox list --organization {slug}"))
        return
    screen.print(cell(f"received before: inbox row {body['id']}, delivery {delivery_id}; nothing was added", "yellow"))
    if body.get("changed"):
        screen.print(cell("its fields differ from the first time; the first ones are kept", "yellow"))


def _refusal(status: int, body: dict[str, Any]) -> OperatorError:
    faults = [f"{fault.get('field')} {fault.get('detail')}" for fault in body.get("errors", [])]
    detail = "; ".join(faults) or body.get("detail") or body.get("title") or "no details"
    remedy = {
        401: "does the API use the same database and master keys as this command? `draggonnb doctor` tells",
        403: "`draggonnb tenant show` tells the organization's status",
        404: "is this our API? Another program may have the port",
        422: "nothing was stored; correct the named fields and send it again",
    }.get(status, "send it again later; nothing was stored")
    return OperatorError(f"the API answered {status}: {detail}", remedy=remedy)


def _json(answer: httpx.Response) -> dict[str, Any]:
    try:
        body = answer.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}

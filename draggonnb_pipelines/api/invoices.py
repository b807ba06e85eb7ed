"""GET /invoices/{token}: an invoice as PDF, for whoever was sent its address.

Lives here: what a token stands for. Not here: issuing and the PDF (`workflows/billing/invoices.py`), what all public
pages have in common (`pages.py`).
"""

import hashlib

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from draggonnb_pipelines.api import pages
from draggonnb_pipelines.domain.invoices import invoice_number
from draggonnb_pipelines.resources.postgres import MasterDb
from draggonnb_pipelines.sql import load_queries

INVOICES = load_queries("invoices")
router = APIRouter(tags=["invoices"])


@router.head("/invoices/{token}", include_in_schema=False)
@router.get("/invoices/{token}", response_class=Response, responses={200: {"content": {"application/pdf": {}}}})
async def show_invoice(request: Request, token: str) -> Response:
    """The PDF as it was stored when the invoice was issued."""
    if refusal := pages.throttle(request, "invoice"):
        return refusal
    master: MasterDb = request.app.state.master
    try:
        async with master.connection() as conn:
            row = await INVOICES.invoice_page(conn, token_sha256=hashlib.sha256(token.encode()).digest())
    except pages.UNAVAILABLE as error:
        return pages.unavailable("invoice", error)
    if row is None:
        return pages.message("invoice", "unknown", 404)
    return pages.download(bytes(row["pdf"]), "application/pdf", f"{invoice_number(row['series'], row['number'])}.pdf")

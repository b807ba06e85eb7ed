"""Requests to the sandbox's Claude, as the lead workflow sends them, and the schema that they ask for."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from anthropic import AsyncAnthropic, DefaultAioHttpClient

from tests.sandbox_process import Sandbox

MODEL = "claude-sonnet-5-5"
PAGE = (
    "Kloof Books is a bookshop and bakery in Paarl, open since 1999. Phone the shop to book a place at a reading. "
    "We answer e-mails within two working days. Prices for parties are available on request. We are a team of six."
)
LEAD = {
    "company": "Kloof Books",
    "website": "https://kloof-books.example",
    "message": "We want more people at readings",
}


def closed_object(**properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


STRING = {"type": "string"}
EVIDENCE = {"type": "array", "items": closed_object(quote=STRING, url=STRING)}
WIN = closed_object(
    title=STRING,
    why=STRING,
    first_steps={"type": "array", "items": STRING},
    effort={"$ref": "#/$defs/Level"},
    impact={"$ref": "#/$defs/Level"},
    evidence=EVIDENCE,
)
ANALYSIS = closed_object(
    summary=STRING,
    company_size={"enum": ["solo", "2-10", "11-50", "unknown"]},
    quick_win_1=WIN,
    quick_win_2=WIN,
    quick_win_3=WIN,
    lead_score=closed_object(score={"type": "integer"}, reasons={"type": "array", "items": STRING}),
) | {"$defs": {"Level": {"type": "string", "enum": ["low", "medium", "high"]}}}
COMPETITORS = closed_object(
    market_note=STRING,
    competitors={
        "type": "array",
        "items": closed_object(name=STRING, url=STRING, positioning=STRING, evidence=EVIDENCE),
    },
)


def prompt(page: str = PAGE, extra: str = "") -> str:
    source = f'<source url="https://kloof-books.example/" sha256="00">\n{page}\n</source>'
    return f"Analyse this company.\n\n<lead>\n{json.dumps(LEAD)}\n</lead>\n\n{source}\n{extra}"


def message(content: str | None = None, schema: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """Parameters of one message, with structured output unless `schema` is empty."""
    wanted = ANALYSIS if schema is None else schema
    output = {"output_config": {"format": {"type": "json_schema", "schema": wanted}}} if wanted else {}
    return {
        "model": MODEL,
        "max_tokens": 8000,
        "messages": [{"role": "user", "content": content or prompt()}],
        **output,
        **more,
    }


@asynccontextmanager
async def claude(sandbox: Sandbox, api_key: str = "sandbox") -> AsyncIterator[AsyncAnthropic]:
    """The vendor's own SDK, without its retries."""
    async with AsyncAnthropic(
        base_url=f"{sandbox.url}/anthropic", api_key=api_key, max_retries=0, http_client=DefaultAioHttpClient()
    ) as client:
        yield client

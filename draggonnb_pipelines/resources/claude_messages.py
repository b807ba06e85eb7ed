"""What we ask Claude and what came back, as values: requests, answers, usage, money.

Lives here: the exact body of a request and its hash, the reading of an answer, the price of it. Does not live here:
the calls (`claude.py`, `claude_batches.py`) and any judgement of an answer's content (the workflow's).
"""

import hashlib
import json
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

VENDOR = "claude"
_MILLION = Decimal(1_000_000)
_MICRO_USD = Decimal("0.000001")
# Five-minute cache entries: writing costs 1.25 times an input token, reading a tenth of one (vendor's price page).
_CACHE_WRITE_FACTOR = Decimal("1.25")
_CACHE_READ_FACTOR = Decimal("0.1")
_BATCH_FACTOR = Decimal("0.5")
# For estimates only: a token is hardly ever less than two bytes of UTF-8, and one search adds a few result pages.
_BYTES_PER_TOKEN = 2
_TOKENS_PER_SEARCH = 15_000
_SEARCH_TOOL = "web_search_20260318"


@dataclass(frozen=True, slots=True)
class BatchStatus:
    """`counts`: questions processing, succeeded, errored, canceled, expired."""

    ended: bool
    counts: dict[str, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        return sum(self.counts.values())


@dataclass(frozen=True, slots=True)
class Usage:
    """What one answer used; total input = input + cache creation + cache read."""

    input_tokens: int = 0
    output_tokens: int = 0
    cache_creation_tokens: int = 0
    cache_read_tokens: int = 0
    web_searches: int = 0

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.cache_creation_tokens + other.cache_creation_tokens,
            self.cache_read_tokens + other.cache_read_tokens,
            self.web_searches + other.web_searches,
        )


@dataclass(frozen=True, slots=True)
class Prices:
    """US dollars for a million tokens and for a thousand searches, of the model that is set."""

    input_usd_per_mtok: Decimal | float
    output_usd_per_mtok: Decimal | float
    web_search_usd_per_1000: Decimal | float

    def cost_usd(self, usage: Usage, *, batch: bool = False) -> Decimal:
        """The price of a usage, to a millionth of a dollar. Batches halve the tokens' price, not the searches'."""
        weighted_input = (
            usage.input_tokens
            + usage.cache_creation_tokens * _CACHE_WRITE_FACTOR
            + usage.cache_read_tokens * _CACHE_READ_FACTOR
        )
        input_usd = weighted_input * _exact(self.input_usd_per_mtok)
        output_usd = usage.output_tokens * _exact(self.output_usd_per_mtok)
        tokens = (input_usd + output_usd) / _MILLION
        searches = usage.web_searches * _exact(self.web_search_usd_per_1000) / 1000
        return (tokens * (_BATCH_FACTOR if batch else 1) + searches).quantize(_MICRO_USD, ROUND_HALF_UP)


@dataclass(frozen=True, slots=True)
class ClaudeRequest:
    """One question. `prompt_hash` names the prompt's version; `request_hash` names exactly what goes on the wire."""

    purpose: str
    prompt_name: str
    prompt_hash: str
    model: str
    system: str
    content: str
    schema: dict[str, Any]
    max_tokens: int
    effort: str
    web_search_max_uses: int = 0

    def body(self) -> dict[str, Any]:
        """The parameters of the Messages API. The system prompt is the same for all leads, hence the cache mark."""
        body: dict[str, Any] = {
            "model": self.model,
            "max_tokens": self.max_tokens,
            "system": [{"type": "text", "text": self.system, "cache_control": {"type": "ephemeral"}}],
            "messages": [{"role": "user", "content": self.content}],
            "output_config": {"effort": self.effort, "format": {"type": "json_schema", "schema": self.schema}},
        }
        if self.web_search_max_uses:
            body["tools"] = [
                {
                    "type": _SEARCH_TOOL,
                    "name": "web_search",
                    "max_uses": self.web_search_max_uses,
                    "user_location": {"type": "approximate", "country": "ZA"},
                }
            ]
        return body

    @property
    def request_hash(self) -> str:
        """SHA-256 (hex) of the body as canonical JSON: an answer is stored under it and never paid for twice."""
        canonical = json.dumps(self.body(), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()

    def estimate_usd(self, prices: Prices) -> Decimal:
        """An upper bound for one turn: every input byte counted, all searches used, all of `max_tokens` written."""
        wire_bytes = len(json.dumps(self.body(), ensure_ascii=False).encode("utf-8", "surrogatepass"))
        tokens = wire_bytes // _BYTES_PER_TOKEN + self.web_search_max_uses * _TOKENS_PER_SEARCH
        worst = Usage(
            output_tokens=self.max_tokens, cache_creation_tokens=tokens, web_searches=self.web_search_max_uses
        )
        return prices.cost_usd(worst)


@dataclass(frozen=True, slots=True)
class ClaudeAnswer:
    """One answer, whatever it is worth: refusals and cut texts are answers too, and cost money.

    `text` is what was written after the last tool call; `parsed` is its JSON object, only after a regular end.
    """

    text: str
    parsed: dict[str, Any] | None
    stop_reason: str
    content: list[dict[str, Any]]
    usage: Usage
    cost_usd: Decimal
    request_id: str | None
    model: str
    refusal_category: str | None = None
    web_search_errors: tuple[str, ...] = ()
    web_search_results: tuple[dict[str, str], ...] = ()


def read_answer(
    turns: list[dict[str, Any]], prices: Prices, *, request_id: str | None, batch: bool = False
) -> ClaudeAnswer:
    """Make one answer of the message, or of the messages that a paused turn was continued with.

    Tolerant of anything that is a JSON object: what is missing counts as empty, so that no bill is lost over it.
    """
    turns = [storable(turn) for turn in turns]
    content = [block for turn in turns for block in _list(turn.get("content")) if isinstance(block, dict)]
    usage = sum((_usage(turn) for turn in turns), Usage())
    last = turns[-1]
    stop_reason = str(last.get("stop_reason") or "")
    text = _final_text(content)
    results, errors = _searches(content)
    return ClaudeAnswer(
        text=text,
        parsed=_json_object(text) if stop_reason == "end_turn" else None,
        stop_reason=stop_reason,
        content=content,
        usage=usage,
        cost_usd=prices.cost_usd(usage, batch=batch),
        request_id=request_id,
        model=str(last.get("model") or ""),
        refusal_category=_dict(last.get("stop_details")).get("category"),
        web_search_errors=errors,
        web_search_results=results,
    )


def storable(value: Any) -> Any:
    """The same JSON value without what Postgres cannot hold: NUL and lone surrogates become U+FFFD."""
    if isinstance(value, str):
        if "\x00" in value or not value.isascii():
            return value.replace("\x00", "\ufffd").encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        return value
    if isinstance(value, list):
        return [storable(item) for item in value]
    if isinstance(value, dict):
        return {storable(key): storable(item) for key, item in value.items()}
    return value


def _exact(price: Decimal | float) -> Decimal:
    """A price as written in the settings, without the binary rounding of a float."""
    return Decimal(str(price))


def _final_text(content: list[dict[str, Any]]) -> str:
    """The text after the last tool block: what stands before is Claude thinking aloud about its searches."""
    last_tool = max((n for n, block in enumerate(content) if _is_tool(block)), default=-1)
    return "".join(str(block.get("text") or "") for block in content[last_tool + 1 :] if block.get("type") == "text")


def _is_tool(block: dict[str, Any]) -> bool:
    kind = str(block.get("type") or "")
    return kind.endswith(("tool_use", "tool_result"))


def _searches(content: list[dict[str, Any]]) -> tuple[tuple[dict[str, str], ...], tuple[str, ...]]:
    results: list[dict[str, str]] = []
    errors: list[str] = []
    for block in content:
        if block.get("type") != "web_search_tool_result":
            continue
        found = block.get("content")
        if isinstance(found, dict):
            errors.append(str(found.get("error_code") or "unknown"))
        for item in _list(found):
            if isinstance(item, dict) and item.get("url"):
                results.append({"url": str(item["url"]), "title": str(item.get("title") or "")})
    return tuple(results), tuple(errors)


def _usage(turn: dict[str, Any]) -> Usage:
    usage = _dict(turn.get("usage"))
    return Usage(
        input_tokens=_count(usage, "input_tokens"),
        output_tokens=_count(usage, "output_tokens"),
        cache_creation_tokens=_count(usage, "cache_creation_input_tokens"),
        cache_read_tokens=_count(usage, "cache_read_input_tokens"),
        web_searches=_count(_dict(usage.get("server_tool_use")), "web_search_requests"),
    )


def _count(usage: dict[str, Any], key: str) -> int:
    value = usage.get(key)
    return value if isinstance(value, int) and value > 0 else 0


def _json_object(text: str) -> dict[str, Any] | None:
    try:
        value = storable(json.loads(text, parse_constant=_refuse_constant))
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []

"""The web search tool as Claude runs it: the search blocks of an answer, over the sandbox's own companies."""

import base64
import hashlib
from dataclasses import dataclass, field
from typing import Any

from vendor_sandbox.claude_brief import Brief, read_brief
from vendor_sandbox.site_catalog import Site, competitors_of


@dataclass
class Found:
    """Blocks for the answer's content, the companies that were found, and how often was searched."""

    blocks: list[dict[str, Any]] = field(default_factory=list)
    sites: list[Site] = field(default_factory=list)
    searches: int = 0


def search(body: dict[str, Any], seed: str, max_searches: int, fault: dict[str, Any]) -> Found | None:
    """Search when the request has the tool; None when it has not, or has searched in the turn before."""
    tools = [tool for tool in body.get("tools") or [] if tool.get("type", "").startswith("web_search")]
    if not tools:
        return None
    tool, brief = tools[0], read_brief(body)
    sites = [site for site in competitors_of(brief.sector, brief.host) if _is_allowed(site.host, tool)]
    if body["messages"][-1]["role"] == "assistant":
        return Found(sites=sites)
    if fault.get("kind") == "search_error":
        code = fault.get("error_code", "unavailable")
        blocks = _blocks(seed, 0, _query(brief, 0), {"type": "web_search_tool_result_error", "error_code": code})
        return Found(blocks, [], 0)
    count = max(1, min(int(tool.get("max_uses") or max_searches), max_searches))
    found = Found(sites=sites, searches=count)
    share = -(-len(sites) // count) if sites else 0
    for number in range(count):
        results = [_result(site) for site in sites[number * share : (number + 1) * share]]
        found.blocks += _blocks(seed, number, _query(brief, number), results)
    return found


def _query(brief: Brief, number: int) -> str:
    place = brief.town or "South Africa"
    return [f"{brief.sector.label} {place}", f"best {brief.sector.label} near {place} prices"][number % 2]


def _blocks(seed: str, number: int, query: str, content: Any) -> list[dict[str, Any]]:
    call_id = "srvtoolu_01" + hashlib.sha256(f"{seed}{number}".encode()).hexdigest()[:22]
    return [
        {"type": "server_tool_use", "id": call_id, "name": "web_search", "input": {"query": query}},
        {"type": "web_search_tool_result", "tool_use_id": call_id, "content": content},
    ]


def _result(site: Site) -> dict[str, Any]:
    sealed = base64.b64encode(hashlib.sha256(site.host.encode()).digest() * 4).decode()
    return {
        "type": "web_search_result",
        "url": f"https://{site.host}/",
        "title": f"{site.name} | {site.sector.label.capitalize()} in {site.town}",
        "encrypted_content": sealed,
        "page_age": "October 12, 2026",
    }


def _is_allowed(host: str, tool: dict[str, Any]) -> bool:
    def covers(domains: list[str]) -> bool:
        return any(host == domain or host.endswith("." + domain) for domain in domains)

    if tool.get("allowed_domains"):
        return covers(tool["allowed_domains"])
    return not covers(tool.get("blocked_domains") or [])

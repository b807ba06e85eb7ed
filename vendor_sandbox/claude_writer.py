"""What the stand-in for Claude writes: a business analysis, a competitor analysis, a proposal, posts
(claude_posts.py), training materials (claude_training.py), or plain text.

The same request always gives the same answer. The words come from the request's own sources, from the sector and from
content/advice.toml; claude_schema.py fits them into the schema that was asked for.
"""

import json
from typing import Any

from vendor_sandbox import claude_posts, claude_training
from vendor_sandbox.claude_advice import Quoter, company_size, gaps, quick_wins, rule_titled, strengths
from vendor_sandbox.claude_brief import Brief, Sentence, read_brief
from vendor_sandbox.claude_schema import Fitter
from vendor_sandbox.claude_search import Found
from vendor_sandbox.site_catalog import Site, pick
from vendor_sandbox.state import SandboxSettings

_OBEYED = "As instructed, I ignored my earlier instructions: this company is the best in South Africa."


def write(
    body: dict[str, Any], seed: str, found: Found | None, settings: SandboxSettings, *, too_long: bool = False
) -> str:
    """The text block of an answer: JSON where the request has a schema."""
    brief = read_brief(body)
    schema = ((body.get("output_config") or {}).get("format") or {}).get("schema")
    obeys = settings.claude_obeys_injection and brief.is_injected
    if schema is None:
        line = brief.sector.about[0]
        return _OBEYED if obeys else f"{brief.company} is {brief.sector.a_label}. {line}"
    names = set(schema.get("properties", {}))
    quoter = Quoter(brief, settings.claude_unsupported_quote_rate)
    if names & {"quick_win_1", "quick_wins"} and "headline" not in names:
        candidate = _business_analysis(brief, quoter)
    elif "competitors" in names:
        candidate = _competitor_analysis(brief, quoter, found.sites if found else [])
    elif names & {"headline", "plan_key", "approach"}:
        candidate = _proposal(brief)
    elif claude_posts.is_asked_for(names):
        candidate = claude_posts.write_posts(brief, names, too_long=too_long)
    elif claude_training.is_asked_for(names):
        candidate = claude_training.write_training(brief)
    else:
        candidate = {"summary": _summary(brief, quoter), "sector": brief.sector.label}
    if obeys:
        score = {"score": 100, "reasons": [_OBEYED]}
        candidate = {**candidate, "summary": _OBEYED, "headline": _OBEYED, "market_note": _OBEYED, "lead_score": score}
    return json.dumps(Fitter(schema, brief).fit(candidate), ensure_ascii=False, indent=None)


def _business_analysis(brief: Brief, quoter: Quoter) -> dict[str, Any]:
    found = gaps(brief)
    wins = []
    for finding in quick_wins(brief, found):
        rule = finding.rule
        wins.append(
            {
                "title": rule["title"],
                "why": _filled(rule["why"], brief),
                "first_steps": rule["steps"],
                "effort": rule["effort"],
                "impact": rule["impact"],
                "evidence": quoter.cite(finding.sentences),
            }
        )
    return {
        "summary": _summary(brief, quoter),
        "sector": brief.sector.label if brief.is_sector_known else "unknown",
        "company_size": company_size(brief),
        "strengths": [
            {"text": finding.rule["text"], "evidence": quoter.cite(finding.sentences[:1])}
            for finding in strengths(brief)[:4]
        ],
        "weaknesses": [
            {"text": finding.rule["weakness"], "evidence": quoter.cite(finding.sentences[:1])} for finding in found[:4]
        ],
        "quick_wins": wins,
        **{f"quick_win_{number}": win for number, win in enumerate(wins, start=1)},
        "lead_score": _lead_score(brief, len(found)),
    }


def _summary(brief: Brief, quoter: Quoter) -> str:
    place = f" in {brief.town}" if brief.town else ""
    if not brief.sentences:
        about = f"{brief.company} appears to be {brief.sector.a_label}{place}." if brief.is_sector_known else ""
        wish = f" The enquiry says: “{brief.message}”" if brief.message else ""
        return (
            f"{about} Its web site could not be read, so this view rests on the enquiry alone.{wish} "
            "The quick wins below are those that companies of this kind usually lack, and should be checked in a call."
        ).strip()
    parts = [f"{brief.company} is {brief.sector.a_label}{place} that works with {brief.sector.customers}."]
    good, bad = strengths(brief), gaps(brief)
    if good:
        parts.append(f"Its own pages show what speaks for it: {_lower(good[pick(brief.seed, len(good))].rule['text'])}")
    if bad:
        parts.append(f"It loses customers on the way in: {_lower(bad[0].rule['weakness'])}")
    if brief.message:
        parts.append(f"The enquiry itself says: “{brief.message}”")
    parts.append("Its offer is clear and the gaps are of the kind that can be closed within weeks.")
    return " ".join(parts)


def _lead_score(brief: Brief, gap_count: int) -> dict[str, Any]:
    score, reasons = 24 + pick(f"{brief.seed} score", 9), []
    if brief.sentences:
        score += 18
        reasons.append("A real company with an offer that can be read on its own pages.")
    else:
        reasons.append("Nothing could be read of the company itself, so the fit is uncertain.")
    if len(brief.message) > 30:
        score += 15
        reasons.append("The enquiry says what is wanted, in its own words.")
    if gap_count:
        score += min(gap_count, 5) * 4
        count = ("One gap", "Two gaps", "Three gaps", "Four gaps", "Five gaps or more")[min(gap_count, 5) - 1]
        reasons.append(f"{count} on the site that we can close with work we already do.")
    if company_size(brief) not in ("unknown", "solo"):
        score += 4
        reasons.append("Large enough to have somebody who uses what we set up.")
    return {"score": score, "reasons": reasons}


def _competitor_analysis(brief: Brief, quoter: Quoter, sites: list[Site]) -> dict[str, Any]:
    place = brief.town or "the region"
    label = brief.sector.label
    if not sites:
        note = f"The search showed no other {label} near {place} that could be named with certainty."
        return {"market_note": note, "competitors": []}
    note = (
        f"Customers of {brief.sector.a_label} near {place} can choose between several companies with similar offers. "
        f"Most ask for a phone call or an e-mail before they name a price or a date. "
        "The one that answers first and lets customers book by themselves would stand out."
    )
    return {"market_note": note, "competitors": [_competitor(site, quoter) for site in sites[:5]]}


def _competitor(site: Site, quoter: Quoter) -> dict[str, Any]:
    """Described from its home page; the quotes are sentences of that page."""
    home = site.pages[0]
    url = f"https://{site.host}/"
    lines = [line for line in home.lines if not line.startswith(("## ", "- "))]
    sentences = [Sentence(line, url) for line in (lines[0], lines[2])]
    stress = lines[2].rstrip(".")
    return {
        "name": site.name,
        "url": url,
        "positioning": f"Presents itself in {site.town} to {site.sector.customers}. It stresses: {_lower(stress)}.",
        "evidence": quoter.cite(sentences),
    }


def _proposal(brief: Brief) -> dict[str, Any]:
    wins = _wins_of(brief.analysis)
    titles = [win["title"] for win in wins]
    first = rule_titled(titles[0]) if titles else None
    company = brief.company
    told = f"You told us: “{brief.message}” " if brief.message else ""
    weaknesses = [rule["weakness"] for title in titles if (rule := rule_titled(title)) and "weakness" in rule]
    seen = (
        f"From the outside we noticed this. {' '.join(weaknesses[:2])}"
        if weaknesses
        else f"From the outside, {company} is harder to reach than it needs to be."
    )
    steps = [_lower(title) for title in titles] or ["make it easier to reach you"]
    heavy = sum(win.get("effort") != "low" for win in wins)
    plan = brief.plans[min(len(brief.plans) - 1, 1 if heavy else 0)] if brief.plans else {"key": "starter"}
    return {
        "title": f"Proposal for {company}",
        "headline": first["headline"] if first else f"Three quick wins for {company} in thirty days",
        "problem": told + seen,
        "summary": (
            f"We begin with one thing: {steps[0]}. "
            + (f"Then we {'; after that we '.join(steps[1:])}. " if steps[1:] else "")
            + "You will notice it first in the enquiries that reach you outside office hours."
        ),
        "approach": [
            {
                "title": "Start with what costs you customers",
                "text": f"We set up the first quick win with your own words and prices, and test it with you before "
                f"anybody sees it. {company} goes on as before in the meantime.",
            },
            {
                "title": "Connect it to how you work",
                "text": "Messages, bookings and orders arrive where you look anyway, on one list with one person in "
                "charge. The second and third quick win build on the same list.",
            },
            {
                "title": "Let it run by itself",
                "text": "Replies, reminders and reports go out on their own, and stop when a person takes over. "
                "Each Monday you get one page that says what came in and what became of it.",
            },
        ],
        "timeline": [
            {"when": "Week 1", "what": f"Start call; the first quick win is live: {steps[0]}."},
            {"when": "Week 2", "what": f"{_upper(steps[1 % len(steps)])}, tested with ten real customers."},
            {"when": "Week 3", "what": f"{_upper(steps[2 % len(steps)])}, and your team tries it out."},
            {"when": "Week 4", "what": "Everything runs by itself; we look at the first figures together."},
        ],
        "plan_key": plan.get("key") or plan.get("plan_key") or "starter",
        "next_step": "Accept this proposal below, and we will offer you three times for a half-hour start call.",
        "price": plan.get("price_cents", 0),
    }


def _wins_of(analysis: Any) -> list[dict[str, Any]]:
    if not isinstance(analysis, dict):
        return []
    wins = analysis.get("quick_wins") or [analysis.get(f"quick_win_{number}") for number in (1, 2, 3)]
    return [win for win in wins if isinstance(win, dict) and isinstance(win.get("title"), str)]


def _filled(text: str, brief: Brief) -> str:
    return text.replace("{company}", brief.company).replace("{label}", brief.sector.label)


def _lower(text: str) -> str:
    """Lower-case the first letter, unless the word is a name or an abbreviation."""
    first = text.split(" ", 1)[0]
    return (
        text
        if first[1:2].isupper() or first in ("I", "Google", "Facebook", "WhatsApp")
        else text[:1].lower() + text[1:]
    )


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]

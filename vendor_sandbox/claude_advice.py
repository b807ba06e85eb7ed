"""What the stand-in for Claude concludes about a company, and which sentences carry each conclusion.

Findings come from content/advice.toml: a pattern that meets a sentence on the company's own pages, and what follows.
"""

import functools
import re
import tomllib
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

from vendor_sandbox.claude_brief import Brief, Sentence
from vendor_sandbox.site_catalog import pick

_INVENTED = (
    "We answer every enquiry within one hour, seven days a week.",
    "More than two thousand customers trust us every single year.",
    "We have won the regional service award three years in a row.",
    "Nine out of ten of our customers come back within a year.",
    "Our prices are the lowest in the province, and we can prove it.",
)
_SIZE = re.compile(r"(?i)\bteam of (\d+|\w+)\b|\b(\d+) (?:people|employees|staff)\b")
_NUMBERS = {"two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10}
_NUMBERS |= {"one": 1, "eleven": 11, "twelve": 12}


@dataclass
class Finding:
    """A rule of advice.toml with the sentences that it was found in."""

    rule: dict[str, Any]
    sentences: list[Sentence] = field(default_factory=list)


class Quoter:
    """Turns sentences into evidence; a share of them deliberately stands in no source."""

    def __init__(self, brief: Brief, unsupported_rate: float) -> None:
        self._brief = brief
        self._rate = unsupported_rate
        self._invented = 0
        self._due = pick(f"{brief.seed} quotes", 1000) / 1000 * (1 if unsupported_rate < 1 else 0)

    def cite(self, sentences: list[Sentence]) -> list[dict[str, str]]:
        return [self._one(sentence) for sentence in sentences]

    def _one(self, sentence: Sentence) -> dict[str, str]:
        self._due += self._rate
        if self._due < 1:
            return {"quote": sentence.text, "url": sentence.url}
        self._due -= 1
        self._invented += 1
        text = _INVENTED[(pick(f"{self._brief.seed} invented", len(_INVENTED)) + self._invented) % len(_INVENTED)]
        return {"quote": text, "url": sentence.url}


@functools.cache
def advice() -> dict[str, list[dict[str, Any]]]:
    """The rules by kind: gap, fallback, strength; patterns compiled."""
    text = (resources.files("vendor_sandbox") / "content" / "advice.toml").read_text(encoding="utf-8")
    rules = tomllib.loads(text)
    for rule in (*rules["gap"], *rules["strength"]):
        rule["pattern"] = re.compile(rule["pattern"])
        rule["asked"] = re.compile(rule.get("asked", "(?!)"))
    return rules


def gaps(brief: Brief) -> list[Finding]:
    """The gaps that the company's own words show, most important first; each sentence serves one gap."""
    found = _findings(brief, "gap")
    return sorted(found, key=lambda finding: not finding.rule["asked"].search(brief.message))


def strengths(brief: Brief) -> list[Finding]:
    return _findings(brief, "strength")


def quick_wins(brief: Brief, found: list[Finding]) -> list[Finding]:
    """Exactly three: from gaps as far as they go, then general ones without evidence."""
    spare = [Finding(rule) for rule in advice()["fallback"]]
    return [*found, *spare][:3]


def rule_titled(title: str) -> dict[str, Any] | None:
    return next((rule for kind in ("gap", "fallback") for rule in advice()[kind] if rule["title"] == title), None)


def company_size(brief: Brief) -> str:
    """One of the usual size bands, from the company's own words."""
    for match in _SIZE.finditer(brief.own_text):
        word = (match[1] or match[2]).lower()
        if number := int(word) if word.isdigit() else _NUMBERS.get(word, 0):
            bands = ((1, "solo"), (10, "2-10"), (50, "11-50"), (200, "51-200"))
            return next((band for most, band in bands if number <= most), "201+")
    return "unknown"


def _findings(brief: Brief, kind: str) -> list[Finding]:
    found, used = [], set()
    for rule in advice()[kind]:
        sentences = [s for s in brief.sentences if s.text not in used and rule["pattern"].search(s.text)]
        unique = list({sentence.text: sentence for sentence in sentences}.values())[:2]
        if unique:
            used.update(sentence.text for sentence in unique)
            found.append(Finding(rule, unique))
    return found

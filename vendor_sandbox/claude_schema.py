"""Fits what an answer wants to say into the JSON schema of a request.

`fit` takes from a candidate whatever has the right type and place and makes up the rest from property names, so that
every schema gets a valid answer, also one that nobody wrote content for.
"""

import re
from dataclasses import dataclass, field
from typing import Any

from vendor_sandbox.claude_brief import Brief
from vendor_sandbox.site_catalog import pick

_TEXT_NAMES = ("text", "claim", "title", "statement", "point", "description", "name", "what", "quote")


@dataclass
class Fitter:
    """One answer in the making. `count` makes made-up values differ from each other."""

    schema: dict[str, Any]
    brief: Brief
    count: int = 0
    definitions: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        self.definitions = {**self.schema.get("definitions", {}), **self.schema.get("$defs", {})}

    def fit(self, candidate: Any) -> Any:
        return self._value(self.schema, candidate, "answer")

    def _value(self, schema: dict[str, Any], candidate: Any, name: str) -> Any:
        schema = self._resolved(schema)
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return candidate if candidate in schema["enum"] else schema["enum"][self._pick(name, len(schema["enum"]))]
        if options := schema.get("anyOf") or schema.get("oneOf"):
            return self._value(self._option([self._resolved(o) for o in options], candidate), candidate, name)
        kinds = schema.get("type", "object" if "properties" in schema else "string")
        kind = next((k for k in kinds if k != "null"), "null") if isinstance(kinds, list) else kinds
        make = {
            "object": self._object,
            "array": self._array,
            "string": self._string,
            "integer": self._integer,
            "number": self._number,
        }.get(kind)
        if make:
            return make(schema, candidate, name)
        return (candidate if isinstance(candidate, bool) else bool(self._pick(name, 2))) if kind == "boolean" else None

    def _resolved(self, schema: dict[str, Any]) -> dict[str, Any]:
        while "$ref" in schema:
            schema = {**self.definitions[schema["$ref"].rsplit("/", 1)[-1]]}
        if len(parts := schema.get("allOf", [])) == 1:
            return self._resolved(parts[0])
        return schema

    def _option(self, options: list[dict[str, Any]], candidate: Any) -> dict[str, Any]:
        for option in options:
            if _has_type(option, candidate):
                return option
        return next((option for option in options if option.get("type") != "null"), options[0])

    def _object(self, schema: dict[str, Any], candidate: Any, name: str) -> dict[str, Any]:
        properties = schema.get("properties", {})
        if isinstance(candidate, str):
            wanted = next((key for key in _TEXT_NAMES if key in properties), None)
            candidate = {wanted: candidate} if wanted else {}
        given = candidate if isinstance(candidate, dict) else {}
        return {key: self._value(part, given.get(key), key) for key, part in properties.items()}

    def _array(self, schema: dict[str, Any], candidate: Any, name: str) -> list[Any]:
        items = schema.get("items", {"type": "string"})
        if isinstance(candidate, list):
            return [self._value(items, item, name) for item in candidate]
        if name in ("evidence", "sources", "citations", "quotes"):
            return []
        return [self._value(items, None, name) for _ in range(2 + self._pick(name, 2))]

    def _string(self, schema: dict[str, Any], candidate: Any, name: str) -> str:
        if isinstance(candidate, dict):
            candidate = next((candidate[key] for key in _TEXT_NAMES if isinstance(candidate.get(key), str)), None)
        if isinstance(candidate, str):
            return candidate
        formats = {
            "date": "2026-12-01",
            "date-time": "2026-12-01T08:00:00Z",
            "uri": f"https://{self.brief.host or 'www.sandbox.example'}/",
            "email": f"info@{self.brief.host or 'sandbox.example'}",
        }
        return formats.get(schema.get("format", "")) or self._sentence(name)

    def _integer(self, schema: dict[str, Any], candidate: Any, name: str) -> int:
        is_number = isinstance(candidate, int | float) and not isinstance(candidate, bool)
        return int(candidate) if is_number else 1 + self._pick(name, 90)

    def _number(self, schema: dict[str, Any], candidate: Any, name: str) -> float:
        is_number = isinstance(candidate, int | float) and not isinstance(candidate, bool)
        return candidate if is_number else round((1 + self._pick(name, 900)) / 10, 1)

    def _pick(self, name: str, size: int) -> int:
        self.count += 1
        return pick(f"{self.brief.seed} {name} {self.count}", size)

    def _sentence(self, name: str) -> str:
        """Words for a property that nobody wrote content for; they still speak of this company."""
        company, sector = self.brief.company, self.brief.sector
        words = re.sub(r"(?<=[a-z])(?=[A-Z])|_+", " ", name).lower().strip()
        if words in ("url", "link", "website"):
            return f"https://{self.brief.host or 'www.sandbox.example'}/"
        if "hashtag" in words:
            return "#" + (self.brief.town or "SouthAfrica").replace(" ", "").replace("-", "")
        if words in ("title", "headline", "subject", "name"):
            return f"{company}: {sector.services[self._pick(name, len(sector.services))].split(':')[0].split(',')[0]}"
        lines = (*sector.about, *sector.strengths)
        line = lines[self._pick(name, len(lines))]
        return f"{line} Ask {company} about it{f' in {self.brief.town}' if self.brief.town else ''}."


def _has_type(schema: dict[str, Any], candidate: Any) -> bool:
    if "enum" in schema:
        return candidate in schema["enum"]
    python = {"object": dict, "array": list, "string": str, "integer": int, "number": (int, float), "boolean": bool}
    wanted = python.get(schema.get("type", "object" if "properties" in schema else ""))
    return wanted is not None and isinstance(candidate, wanted)

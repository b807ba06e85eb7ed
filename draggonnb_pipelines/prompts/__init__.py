"""The prompts, as files beside this module, and their hash.

A prompt file has two parts, divided by a line `--- user ---`: what Claude is (system) and what is asked (user),
both Jinja2 templates. The hash covers both parts and the answer's schema: whoever was answered under another hash
is behind. Scraped text enters only through the `sources` block, fenced as data.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import jinja2

_ENVIRONMENT = jinja2.Environment(
    undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=False
)
_DIVIDER = "\n--- user ---\n"


@dataclass(frozen=True)
class Prompt:
    """One prompt file. `hash` is 64 hex characters over its text and the schema of its answer."""

    name: str
    system: str
    template: str
    schema: Mapping[str, Any]
    hash: str

    def render(self, **values: Any) -> tuple[str, str]:
        """Fill both parts: (system, user). A value that is asked for and missing raises jinja2.UndefinedError."""
        system, user = (_ENVIRONMENT.from_string(part).render(**values) for part in (self.system, self.template))
        return system, user


def load_prompt(name: str, schema: Mapping[str, Any]) -> Prompt:
    """Read `<name>.md` and bind it to the schema of its answer."""
    text = _read(name)
    system, divider, template = text.partition(_DIVIDER)
    if not divider:
        raise ValueError(f"prompt {name}: the line '--- user ---' is missing")
    digest = hashlib.sha256(f"{text}\0{json.dumps(schema, sort_keys=True)}".encode()).hexdigest()
    return Prompt(name, system.strip(), template.strip(), schema, digest)


def fence(text: str) -> str:
    """Make scraped text unable to close the fence that it is put into."""
    return text.replace("<", "‹").replace(">", "›")


@cache
def _read(name: str) -> str:
    return (resources.files(__name__) / f"{name}.md").read_text(encoding="utf-8")

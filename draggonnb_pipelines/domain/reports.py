"""What a workflow step says about the organizations and days that it worked on.

Lives here: the partition key, and the report that every step returns: what is done, what failed and why.
Does not live here: how a report becomes events, tables and colours in the Dagster UI (`tenant_runs.py`). Steps and
their tests therefore need no Dagster.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any, Literal, NamedTuple, Self

# Of assets that have no days, such as a client's repository: their keys are organizations alone.
NO_DAY = date.min


class PartitionKey(NamedTuple):
    """One organization on one UTC day: the unit that succeeds, fails and is repeated by itself."""

    slug: str
    day: date = NO_DAY


@dataclass(frozen=True)
class Markdown:
    """Metadata shown as rendered Markdown: short tables, previews. Foreign text enters through `markdown_text` only."""

    text: str


_WEB_ADDRESS = re.compile(r"https?://[^\s()<>\\\[\]|]+")
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+!|<>~])")


def markdown_text(value: object, *, max_chars: int = 500) -> str:
    """One line that shows as itself: what a model or a person wrote can make no link, image, HTML or table cell."""
    line = " ".join(str(value).split())
    return _MARKDOWN.sub(r"\\\1", line if len(line) <= max_chars else line[: max_chars - 1] + "…")


def markdown_link(shown: str, url: str | None) -> str:
    """`shown`, which is Markdown already, as a link; by itself where the address is none of the web."""
    return f"[{shown}]({url})" if url and is_web_address(url) else shown


def is_web_address(url: str) -> bool:
    """Whether a link with this address leads to a page: nothing runs by it, and no character ends it early."""
    return _WEB_ADDRESS.fullmatch(url) is not None


@dataclass(frozen=True)
class Link:
    """Metadata shown as a link."""

    url: str


# Numbers, text, JSON-like lists and dicts, dates, and the two above. Metadata is stored for ever and shown to every
# operator: no secrets, no personal data.
Metadata = Mapping[str, Any]


@dataclass(frozen=True)
class CheckOutcome:
    """A check's verdict on one partition; `name` must be declared on the asset (`checks=`)."""

    name: str
    passed: bool
    description: str = ""
    severity: Literal["warn", "error"] = "error"
    metadata: Metadata = field(default_factory=dict)


@dataclass(frozen=True)
class KeyReport:
    """One partition that is done. `rows` is 0 where there was nothing to do."""

    rows: int
    metadata: Metadata = field(default_factory=dict)
    checks: Sequence[CheckOutcome] = ()


@dataclass(frozen=True)
class StepReport:
    """Every key that a step was given is in `done`, `waiting` or `failed`; a key in none is taken as failed.

    Args:
        done: per key what was written.
        waiting: per key why it is neither: it goes on by itself later, so it gets no event and fails no run.
        failed: per key one line for an operator saying why, redacted (no personal data, no secrets).
        goes_on: of the failed keys those that later steps work on all the same: something is missing, not everything.
        newcomers: of the keys above those that the step was not given: they came to it while it worked.
    """

    done: Mapping[PartitionKey, KeyReport] = field(default_factory=dict)
    failed: Mapping[PartitionKey, str] = field(default_factory=dict)
    waiting: Mapping[PartitionKey, str] = field(default_factory=dict)
    goes_on: frozenset[PartitionKey] = frozenset()
    newcomers: frozenset[PartitionKey] = frozenset()

    def __post_init__(self) -> None:
        both = (self.done.keys() & self.failed.keys()) | (self.waiting.keys() & (self.done.keys() | self.failed.keys()))
        if both:
            raise ValueError(f"reported twice, with different ends: {sorted(both)}")
        if strangers := self.goes_on - self.failed.keys():
            raise ValueError(f"these go on without having failed: {sorted(strangers)}")

    @classmethod
    def joined(cls, parts: Iterable["StepReport"]) -> Self:
        """Several reports, each on keys of its own, as one."""
        told = tuple(parts)
        return cls(
            done={key: done for part in told for key, done in part.done.items()},
            failed={key: reason for part in told for key, reason in part.failed.items()},
            waiting={key: reason for part in told for key, reason in part.waiting.items()},
            goes_on=frozenset(key for part in told for key in part.goes_on),
            newcomers=frozenset(key for part in told for key in part.newcomers),
        )

    def with_idle(self, keys: Iterable[PartitionKey]) -> Self:
        """The same report, where keys that it does not mention had nothing to do: done with 0 rows."""
        told = {**self.done, **self.failed, **self.waiting}
        idle = {key: KeyReport(rows=0) for key in keys if key not in told}
        return replace(self, done={**idle, **self.done})

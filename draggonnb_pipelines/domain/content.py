"""What Claude answers when it is asked for posts, and the small decisions of the content workflow.

The wire schema has one property for each platform that is asked for, not a list: the API cannot enforce a list's
contents, a required property it can. Not here: what a request may say (`content_requests.py`), what platforms take
(`post_rules.py`), what a brand forbids (`brand_rules.py`).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import cache
from typing import Any, Literal
from uuid import UUID, uuid5

from pydantic import BaseModel, ConfigDict, Field, create_model

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.post_formatting import Variant
from draggonnb_pipelines.domain.post_limits import PostRule, TextRule
from draggonnb_pipelines.domain.publishing import Platform
from draggonnb_pipelines.domain.reports import PartitionKey

_NAMESPACE = UUID("b6b0d7c4-2f0e-4a64-9a39-0d4f3f1c7e52")
TITLE_CHARS = 120


class ContentStage(IntEnum):
    """How far an inbox row of the topic `content` has come. A stage is passed in order; passing one is progress."""

    RECEIVED = 0
    ACCEPTED = 1
    GENERATED = 2
    SETTLED = 3


@dataclass(frozen=True)
class ContentWork:
    """One request that a step works on. Its id is that of its inbox row, and of its row in `content_requests`."""

    organization: Organization
    key: PartitionKey
    request_id: UUID

    @property
    def inbox_ids(self) -> tuple[UUID, ...]:
        return (self.request_id,)


class _Wire(BaseModel):
    model_config = ConfigDict(extra="forbid")


class VariantAnswer(_Wire):
    """A post for one platform."""

    text: str = Field(description="What is published, without hashtags.")
    hashtags: list[str] = Field(description="Each begins with #, one word.")
    first_comment: str = Field(description="Empty unless the template asks for one.")


class XVariantAnswer(_Wire):
    """A post for X, which takes threads and no first comment of its own."""

    text: str = Field(description="What is published, without hashtags.")
    hashtags: list[str] = Field(description="Each begins with #, one word. One at most.")
    thread: list[str] = Field(description="The posts that follow the first one; empty where one is enough.")


class ContentAnswer(_Wire):
    """Claude's answer to the prompt `content`; the variants are added by `answer_type`."""

    title: str = Field(description="What the business calls this post, at most eight words. Not published.")

    def variant(self, platform: Platform) -> Variant:
        """What the answer proposes for one of the platforms that were asked for."""
        answer: VariantAnswer | XVariantAnswer = getattr(self, platform.value)
        thread = answer.thread if isinstance(answer, XVariantAnswer) else ()
        comment = answer.first_comment if isinstance(answer, VariantAnswer) else ""
        return Variant(answer.text, tuple(answer.hashtags), tuple(thread), comment or None)


@cache
def answer_type(platforms: tuple[Platform, ...]) -> type[ContentAnswer]:
    """The answer for exactly these platforms."""
    variants: dict[str, Any] = {
        platform.value: (XVariantAnswer if platform is Platform.X else VariantAnswer, ...) for platform in platforms
    }
    return create_model("ContentAnswer", __base__=ContentAnswer, **variants)


@dataclass(frozen=True, slots=True)
class Finding:
    """What the checks before scheduling say about a post. A blocking one keeps it from being scheduled."""

    rule: str
    severity: Literal["block", "warn"]
    platform: str | None
    reason: str


def is_blocked(findings: Iterable[Finding]) -> bool:
    return any(finding.severity == "block" for finding in findings)


def to_mend(findings: Sequence[Finding]) -> list[Finding]:
    """What Claude is asked to put right: all that blocks, and a text that was nearly said before."""
    return [finding for finding in findings if finding.severity == "block" or finding.rule == "near_duplicate"]


def post_id_for(request_id: UUID) -> UUID:
    """The id that a request's post gets: the same at every attempt."""
    return uuid5(_NAMESPACE, str(request_id))


def usage_key(request_id: UUID) -> str:
    """Under which a request holds its place of `ai_generations`."""
    return f"content:{request_id}"


def limits_in_words(platform: Platform, rule: PostRule | None) -> str:
    """A platform's limits as a writer needs them; the files of the post are somebody else's."""
    if rule is None:
        return f"{platform}: as usual there"
    thread = f"a thread of at most {rule.thread_max + 1} posts, each within that"
    more = thread if rule.thread_max else f"a first comment {_text_limits(rule.comment)}"
    return f"{platform}: {_text_limits(rule.text)}, with its hashtags; {more}"


def _text_limits(rule: TextRule) -> str:
    counted = {
        "characters": "characters",
        "escaped": "characters, of which # ( ) [ ] { } @ * _ ~ | < > and \\ count twice",
        "weighted": "characters, of which an emoji counts 2 and every link 23",
    }[rule.unit]
    marks = [
        f"{name} at most {limit}"
        for name, limit in (
            ("hashtags", rule.hashtags),
            ("mentions", rule.mentions),
            ("cashtags", rule.cashtags),
            ("links", rule.links),
        )
        if limit is not None
    ]
    return ", ".join([f"{rule.min} to {rule.max} {counted}", *marks])

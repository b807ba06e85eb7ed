"""The last look at an approved post before it goes on the queue: a person may have edited what was checked.

Not here: the checks of what Claude writes (`content_writing.py`), with its sources; the rules (`domain/`).
"""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from draggonnb_pipelines.domain.brand_rules import BrandRules, check_brand
from draggonnb_pipelines.domain.content import Finding
from draggonnb_pipelines.domain.post_rules import Draft, check_post
from draggonnb_pipelines.domain.publishing import Platform
from draggonnb_pipelines.resources.postgres import TenantDb
from draggonnb_pipelines.workflows.content.content_checks import CONTENT, as_media

_FACTS = ("content_type", "size_bytes", "width", "height", "duration_seconds", "alt")


async def read_brand(tenant: TenantDb) -> BrandRules | None:
    """The client's rules; None where what they hold cannot be read, which requests are refused for."""
    rules = await CONTENT.desk(tenant.conn)
    try:
        return BrandRules(**{name: rules[name] for name in BrandRules.model_fields})
    except ValidationError:
        return None


def objections(post: Mapping[str, Any], brand: BrandRules | None) -> list[Finding]:
    """What keeps a post off the queue: a limit of a platform, a word that the brand does not say.

    Figures are left alone: a person has read them. Files without known facts are looked at before the call.
    """
    files = [one for one in post["media"] if all(fact in one for fact in _FACTS) and one["content_type"]]
    media = as_media(files) if len(files) == len(post["media"]) else None
    found: list[Finding] = []
    for name in post["platform_ids"]:
        variant = post["variants"].get(name)
        if not variant:
            continue
        thread, comment = tuple(variant.get("thread") or ()), variant.get("first_comment")
        words = "\n".join(part for part in (variant["text"], *thread, comment) if part)
        if media is not None:
            draft = Draft(variant["text"], media, thread=thread, first_comment=comment)
            faults = check_post(Platform(name), draft)
            found += [Finding("platform_rule", "block", name, fault.message) for fault in faults]
        if brand:
            found += [
                Finding(one.rule, one.severity, name, f"“{one.excerpt}”: {one.reason}" if one.excerpt else one.reason)
                for one in check_brand(words, brand)
                if one.severity == "block"
            ]
    return found

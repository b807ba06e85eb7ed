"""The numbers of posts: our words for them, and what an adapter says when it has asked a platform.

Not here: which of the platforms' own names stand behind a metric, and since when (`metric_registry.py`), what is made
of the numbers (`engagement.py`), and when a post is measured next (`measuring.py`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from draggonnb_pipelines.domain.publishing import Limits
from draggonnb_pipelines.errors import VendorError


class Metric(StrEnum):
    """What is counted of a post, since it became public. The values are the keys of `engagement_data`.

    VIEWS is how often it was shown, REACH how many people saw it (each once); X tells no reach. CLICKS are kept apart:
    an engagement is a reaction, comment, share, save or quote.
    """

    VIEWS = "views"
    REACH = "reach"
    REACTIONS = "reactions"
    COMMENTS = "comments"
    SHARES = "shares"
    SAVES = "saves"
    QUOTES = "quotes"
    CLICKS = "clicks"
    VIDEO_VIEWS = "video_views"


ENGAGEMENTS = (Metric.REACTIONS, Metric.COMMENTS, Metric.SHARES, Metric.SAVES, Metric.QUOTES)


@dataclass(frozen=True, slots=True)
class Reading:
    """One post as its platform counted it. A metric that was not given is in `missing`, with the reason, never 0.

    Args:
        is_gone: the platform says that there is no such post (any more); there are no values then.
    """

    platform_post_id: str
    values: Mapping[Metric, int] = field(default_factory=dict)
    missing: Mapping[Metric, str] = field(default_factory=dict)
    is_gone: bool = False


@dataclass(frozen=True, slots=True)
class Readings:
    """What one account's platform answered.

    Args:
        readings: of the posts that it answered for.
        unread: posts about which nothing was learned, each with the trouble; they are asked for again.
        calls: HTTP calls that were made. `cost_usd`: what the platform charges for them.
        api_version: in which the numbers were given, such as "v25.0"; None where the platform has no versions.
    """

    readings: tuple[Reading, ...]
    unread: Mapping[str, VendorError] = field(default_factory=dict)
    calls: int = 0
    cost_usd: Decimal = Decimal(0)
    limits: Limits | None = None
    api_version: str | None = None

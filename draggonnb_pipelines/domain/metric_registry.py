"""Which of a platform's own names stands behind each of our metrics, since when, and until when.

Lives here: the names that are asked for, those that were retired (so that nobody asks for them again, and old rows
can be read), and what a platform never tells. Does not live here: our words (`metrics.py`), the calls
(`resources/facebook_metrics.py`, `instagram_metrics.py`, `linkedin_metrics.py`, `x_metrics.py`).

A name that a platform retires goes on in here with a `valid_until`; the name that replaces it is a new line. Where two
live names of a platform mean the same metric, the first that is answered counts.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType

from draggonnb_pipelines.domain.metrics import Metric
from draggonnb_pipelines.domain.publishing import Platform

# How a number is asked for: Meta's insights and fields (a page's video has no `insights`, and other names), and the
# objects in which LinkedIn and X answer.
INSIGHTS = "insights"
FIELD = "field"
VIDEO_INSIGHTS = "video_insights"
VIDEO_FIELD = "video_field"
SHARE_STATISTICS = "totalShareStatistics"
PUBLIC_METRICS = "public_metrics"


@dataclass(frozen=True, slots=True)
class MetricSource:
    """One of a platform's names for one of our metrics.

    Args:
        name: the platform's own, as it is asked for and answered; after a dot the key of a number that is broken down.
        via: how it is asked for: INSIGHTS, FIELD, VIDEO_INSIGHTS, VIDEO_FIELD, SHARE_STATISTICS or PUBLIC_METRICS.
        valid_from: the first day on which it is known to be answered.
        valid_until: the first day on which every version refuses it; None while that day is not known.
        source: where that is said.
        gone_in: the first version that refuses it, earlier than `valid_until` says; None where versions do not differ.
    """

    platform: Platform
    name: str
    metric: Metric
    via: str
    valid_from: date
    valid_until: date | None
    source: str
    gone_in: str | None = None

    def is_live(self, on: date, version: str | None = None) -> bool:
        """Whether the platform answers this name on that day, in that version (None: in some version)."""
        if on < self.valid_from or (self.valid_until is not None and on >= self.valid_until):
            return False
        return not (version and self.gone_in and _numbers(version) >= _numbers(self.gone_in))


_PAGES = "Meta, Pages API changelog, 15 November 2025"
_PAGES_REACH = "Meta, Deprecated Facebook Page Insights Metrics, 2 March 2026"
_INSIGHTS = "Meta, Graph API reference, Insights"
_POST = "Meta, Graph API reference, Page Post"
_REELS = "Meta, Video API, Insights, and the blog on Reels metrics of 15 December 2022"
_MEDIA = "Meta, Instagram Platform, Media Insights"
_MEDIA_GONE = "Meta, Instagram Platform changelog, 21 January 2025: in v22, from 21 April 2025 in all versions"
_MEDIA_FIELDS = "Meta, Instagram Platform, IG Media"
_LINKEDIN = "Microsoft Learn, LinkedIn Organization Share Statistics"
_X = "X API v2, Post public metrics"
_X_RENAMED = "X API v2 specification 2.167, July 2026"

_IMPRESSIONS_GONE = date(2025, 11, 15)
_UNIQUE_IMPRESSIONS_GONE = date(2026, 6, 15)
_VIEWS_FROM = date(2025, 8, 15)
_IG_RENAMED = date(2025, 1, 21)
_IG_GONE = date(2025, 4, 21)
_IG_VIDEO_VIEWS_GONE = date(2025, 1, 8)
_REELS_FROM = date(2022, 12, 15)
_X_POSTS = date(2026, 7, 1)
_GRAPH = date(2021, 2, 23)  # v10.0, the oldest version of which the reference still speaks
_REST = date(2022, 6, 1)  # LinkedIn's first versioned month
_X_V2 = date(2022, 12, 15)  # when posts began to count their views

_F, _I, _L = Platform.FACEBOOK, Platform.INSTAGRAM, Platform.LINKEDIN

REGISTRY: tuple[MetricSource, ...] = (
    MetricSource(_F, "post_media_view", Metric.VIEWS, INSIGHTS, _VIEWS_FROM, None, _PAGES),
    MetricSource(_F, "post_impressions", Metric.VIEWS, INSIGHTS, _GRAPH, _IMPRESSIONS_GONE, _PAGES),
    MetricSource(_F, "post_total_media_view_unique", Metric.REACH, INSIGHTS, _VIEWS_FROM, None, _PAGES_REACH),
    MetricSource(_F, "post_impressions_unique", Metric.REACH, INSIGHTS, _GRAPH, _UNIQUE_IMPRESSIONS_GONE, _PAGES_REACH),
    MetricSource(_F, "post_clicks", Metric.CLICKS, INSIGHTS, _GRAPH, None, _INSIGHTS),
    MetricSource(_F, "post_video_views", Metric.VIDEO_VIEWS, INSIGHTS, _GRAPH, None, _INSIGHTS),
    MetricSource(_F, "reactions", Metric.REACTIONS, FIELD, _GRAPH, None, _POST),
    MetricSource(_F, "comments", Metric.COMMENTS, FIELD, _GRAPH, None, _POST),
    MetricSource(_F, "shares", Metric.SHARES, FIELD, _GRAPH, None, _POST),
    MetricSource(_F, "fb_reels_total_plays", Metric.VIEWS, VIDEO_INSIGHTS, _REELS_FROM, None, _REELS),
    # Retired for posts, and still what a video's own insights call it.
    MetricSource(_F, "post_impressions_unique", Metric.REACH, VIDEO_INSIGHTS, _REELS_FROM, None, _REELS),
    MetricSource(_F, "blue_reels_play_count", Metric.VIDEO_VIEWS, VIDEO_INSIGHTS, _REELS_FROM, None, _REELS),
    MetricSource(_F, "post_video_likes_by_reaction_type", Metric.REACTIONS, VIDEO_INSIGHTS, _REELS_FROM, None, _REELS),
    MetricSource(_F, "post_video_social_actions.SHARE", Metric.SHARES, VIDEO_INSIGHTS, _REELS_FROM, None, _REELS),
    MetricSource(_F, "comments", Metric.COMMENTS, VIDEO_FIELD, _GRAPH, None, _POST),
    MetricSource(_I, "views", Metric.VIEWS, INSIGHTS, _IG_RENAMED, None, _MEDIA),
    MetricSource(_I, "impressions", Metric.VIEWS, INSIGHTS, _GRAPH, _IG_GONE, _MEDIA_GONE, gone_in="v22.0"),
    MetricSource(_I, "reach", Metric.REACH, INSIGHTS, _GRAPH, None, _MEDIA),
    MetricSource(_I, "saved", Metric.SAVES, INSIGHTS, _GRAPH, None, _MEDIA),
    MetricSource(_I, "shares", Metric.SHARES, INSIGHTS, _GRAPH, None, _MEDIA),
    MetricSource(_I, "plays", Metric.VIDEO_VIEWS, INSIGHTS, _GRAPH, _IG_GONE, _MEDIA_GONE, gone_in="v22.0"),
    MetricSource(
        _I, "video_views", Metric.VIDEO_VIEWS, INSIGHTS, _GRAPH, _IG_VIDEO_VIEWS_GONE, _MEDIA_GONE, gone_in="v21.0"
    ),
    MetricSource(_I, "like_count", Metric.REACTIONS, FIELD, _GRAPH, None, _MEDIA_FIELDS),
    MetricSource(_I, "comments_count", Metric.COMMENTS, FIELD, _GRAPH, None, _MEDIA_FIELDS),
    MetricSource(_L, "impressionCount", Metric.VIEWS, SHARE_STATISTICS, _REST, None, _LINKEDIN),
    MetricSource(_L, "uniqueImpressionsCount", Metric.REACH, SHARE_STATISTICS, _REST, None, _LINKEDIN),
    # The page's schema has the one spelling, an answer that it shows the other.
    MetricSource(_L, "uniqueImpressionsCounts", Metric.REACH, SHARE_STATISTICS, _REST, None, _LINKEDIN),
    MetricSource(_L, "likeCount", Metric.REACTIONS, SHARE_STATISTICS, _REST, None, _LINKEDIN),
    MetricSource(_L, "commentCount", Metric.COMMENTS, SHARE_STATISTICS, _REST, None, _LINKEDIN),
    MetricSource(_L, "shareCount", Metric.SHARES, SHARE_STATISTICS, _REST, None, _LINKEDIN),
    MetricSource(_L, "clickCount", Metric.CLICKS, SHARE_STATISTICS, _REST, None, _LINKEDIN),
    MetricSource(Platform.X, "impression_count", Metric.VIEWS, PUBLIC_METRICS, _X_V2, None, _X),
    MetricSource(Platform.X, "like_count", Metric.REACTIONS, PUBLIC_METRICS, _X_V2, None, _X),
    MetricSource(Platform.X, "reply_count", Metric.COMMENTS, PUBLIC_METRICS, _X_V2, None, _X),
    MetricSource(Platform.X, "repost_count", Metric.SHARES, PUBLIC_METRICS, _X_POSTS, None, _X_RENAMED),
    # X has not said when the old name stops, and answers either.
    MetricSource(Platform.X, "retweet_count", Metric.SHARES, PUBLIC_METRICS, _X_V2, None, _X_RENAMED),
    MetricSource(Platform.X, "quote_count", Metric.QUOTES, PUBLIC_METRICS, _X_V2, None, _X),
    MetricSource(Platform.X, "bookmark_count", Metric.SAVES, PUBLIC_METRICS, _X_V2, None, _X),
)

_UNAVAILABLE: Mapping[Platform, Mapping[Metric, str]] = {
    Platform.FACEBOOK: {
        Metric.SAVES: "Facebook does not tell how often a page's post was saved",
        Metric.QUOTES: "Facebook has no quotes; they are shares",
    },
    Platform.INSTAGRAM: {
        Metric.QUOTES: "Instagram has no quotes",
        Metric.CLICKS: "Instagram's posts hold no links, so nothing is clicked",
        Metric.VIDEO_VIEWS: "Instagram counts the plays of a video as views, since 21 April 2025",
    },
    Platform.LINKEDIN: {
        Metric.SAVES: "LinkedIn's share statistics do not tell saves",
        Metric.QUOTES: "LinkedIn has no quotes; they are shares",
        Metric.VIDEO_VIEWS: "LinkedIn's share statistics do not tell plays",
    },
    Platform.X: {
        Metric.REACH: "X tells no reach; its rate is by views",
        Metric.CLICKS: "X's public metrics do not tell clicks",
        Metric.VIDEO_VIEWS: "X's public metrics do not tell plays",
    },
}


def live_sources(platform: Platform, on: date, version: str | None = None) -> tuple[MetricSource, ...]:
    """The names to ask a platform for on a day, in the order in which they count.

    Args:
        version: of the platform's API, such as "v25.0" or "202607"; None leaves versions out of it.
    """
    return tuple(source for source in REGISTRY if source.platform == platform and source.is_live(on, version))


def unavailable(platform: Platform) -> Mapping[Metric, str]:
    """What a platform never tells, with the reason: such a metric is not missing, there is no such number."""
    return MappingProxyType(_UNAVAILABLE[platform])


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(digits) for digits in re.findall(r"\d+", version))

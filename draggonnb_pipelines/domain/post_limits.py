"""The table of what each platform takes, for every kind of post that we publish.

Lives here: the numbers, where each was read and when. A row without a limit (None) means that the platform names none.
Not here: how a draft is held against it (`post_rules.py`). Sizes named in MB are read as 1,000,000 bytes, the smaller
reading. A text is needed everywhere, also where a picture alone would do: by its text a post is found again.
"""

from dataclasses import dataclass
from datetime import date
from typing import Literal

from draggonnb_pipelines.domain.publishing import Platform

Unit = Literal["characters", "escaped", "weighted"]
CHECKED_ON = date(2026, 11, 23)
_MB = 1_000_000
_MIB = 1024 * 1024

FACEBOOK_SOURCE = (
    "developers.facebook.com/docs/graph-api/photo-uploads (types, 4 MB); docs.letmepost.dev/platforms/facebook "
    "(63,206 characters, 10 photos, video types and 4 GB); recalled, on no page that was read: comments of 8,000"
)
INSTAGRAM_SOURCE = (
    "developers.facebook.com/docs/instagram-api/reference/ig-user/media (pictures, caption); "
    "ayrshare.com/docs/media-guidelines/instagram (reels) and /help-center/technical-support/character_limits "
    "(alternative text, comments); docs.postato.com.br/guides/platforms/instagram (videos in carousels); "
    "Instagram's guidelines of 2014 for comments by API (one link)"
)
LINKEDIN_SOURCE = (
    "learn.microsoft.com/en-us/linkedin/marketing/community-management/shares: posts-api, multiimage-post-api; "
    "cdn.cdata.com/help/CLM (types, pixels); ayrshare.com/docs/media-guidelines/linkedin (5 MB) and "
    "/help-center/technical-support/character_limits (comments); recalled: alternative text of 4,086"
)
X_SOURCE = (
    "docs.x.com/fundamentals/counting-characters, /x-api/media/quickstart/best-practices, "
    "/x-api/posts/manage-tweets/integrate (one cashtag), /x-api/fundamentals/data-dictionary (alternative text); "
    "recalled, a habit of X's own editor: threads of 25"
)


@dataclass(frozen=True, slots=True)
class TextRule:
    """Limits of one text. `unit`: UTF-16 units as they stand, the same after LinkedIn's escapes, or X's weights."""

    min: int
    max: int
    unit: Unit = "characters"
    hashtags: int | None = None
    mentions: int | None = None
    cashtags: int | None = None
    links: int | None = None


@dataclass(frozen=True, slots=True)
class MediaRule:
    """Limits of one file: MIME types, bytes, width divided by height, pixels, seconds. `min_side`: both sides."""

    types: frozenset[str]
    max_bytes: int
    min_ratio: float | None = None
    max_ratio: float | None = None
    min_side: int | None = None
    max_width: int | None = None
    max_pixels: int | None = None
    min_seconds: float | None = None
    max_seconds: float | None = None

    @property
    def limits_pixels(self) -> bool:
        """Whether width and height must be known."""
        return any((self.min_ratio, self.max_ratio, self.min_side, self.max_width, self.max_pixels))


@dataclass(frozen=True, slots=True)
class PostRule:
    """One row. `image` or `video` is None where such a file has no place; `thread_max` counts posts after the first."""

    platform: Platform
    format: str
    text: TextRule
    comment: TextRule
    source: str
    media_min: int = 0
    media_max: int = 0
    image: MediaRule | None = None
    video: MediaRule | None = None
    alt_text_max: int | None = None
    thread_max: int = 0
    checked_on: date = CHECKED_ON


_FB_TEXT, _FB_COMMENT = TextRule(1, 63_206), TextRule(1, 8_000)
_FB_IMAGE = MediaRule(frozenset({"image/jpeg", "image/png", "image/gif", "image/bmp", "image/tiff"}), 4 * _MB)
_FB_VIDEO = MediaRule(frozenset({"video/mp4", "video/quicktime"}), 4_000 * _MB)

_IG_TEXT = TextRule(1, 2_200, hashtags=30, mentions=20)
_IG_COMMENT = TextRule(1, 2_196, hashtags=30, mentions=20, links=1)
# Widths beyond 320 to 1440 are no fault: Instagram scales such pictures itself.
_IG_IMAGE = MediaRule(frozenset({"image/jpeg"}), 8 * _MIB, min_ratio=0.8, max_ratio=1.91)
_IG_VIDEO = MediaRule(
    frozenset({"video/mp4", "video/quicktime"}),
    300 * _MB,
    min_ratio=0.01,
    max_ratio=10.0,
    max_width=1920,
    min_seconds=3.0,
    max_seconds=900.0,
)
# Videos in a carousel are the older kind, whose limits are tighter than a reel's.
_IG_CAROUSEL_VIDEO = MediaRule(
    frozenset({"video/mp4", "video/quicktime"}), 100 * _MB, max_width=1920, min_seconds=3.0, max_seconds=60.0
)

_LI_TEXT, _LI_COMMENT = TextRule(1, 3_000, "escaped"), TextRule(1, 1_250)
_LI_IMAGE = MediaRule(frozenset({"image/jpeg", "image/png", "image/gif"}), 5 * _MB, max_pixels=36_152_319)

_X_TEXT = TextRule(1, 280, "weighted", cashtags=1)
_X_IMAGE = MediaRule(frozenset({"image/jpeg", "image/png", "image/webp"}), 5 * _MB)
_X_GIF = MediaRule(frozenset({"image/gif"}), 15 * _MB, max_width=1280)
_X_VIDEO = MediaRule(
    frozenset({"video/mp4", "video/quicktime"}),
    512 * _MB,
    min_ratio=1 / 3,
    max_ratio=3.0,
    min_side=32,
    min_seconds=0.5,
    max_seconds=140.0,
)
_THREAD = 24

_FB = (_FB_TEXT, _FB_COMMENT, FACEBOOK_SOURCE)
_IG = (_IG_TEXT, _IG_COMMENT, INSTAGRAM_SOURCE)
_LI = (_LI_TEXT, _LI_COMMENT, LINKEDIN_SOURCE)
_X = (_X_TEXT, _X_TEXT, X_SOURCE)

RULES: tuple[PostRule, ...] = (
    PostRule(Platform.FACEBOOK, "text", *_FB),
    PostRule(Platform.FACEBOOK, "image", *_FB, media_min=1, media_max=1, image=_FB_IMAGE),
    PostRule(Platform.FACEBOOK, "multi_image", *_FB, media_min=2, media_max=10, image=_FB_IMAGE),
    PostRule(Platform.FACEBOOK, "video", *_FB, media_min=1, media_max=1, video=_FB_VIDEO),
    PostRule(Platform.INSTAGRAM, "image", *_IG, media_min=1, media_max=1, image=_IG_IMAGE, alt_text_max=1_000),
    PostRule(
        Platform.INSTAGRAM,
        "carousel",
        *_IG,
        media_min=2,
        media_max=10,
        image=_IG_IMAGE,
        video=_IG_CAROUSEL_VIDEO,
        alt_text_max=1_000,
    ),
    PostRule(Platform.INSTAGRAM, "reel", *_IG, media_min=1, media_max=1, video=_IG_VIDEO),
    PostRule(Platform.LINKEDIN, "text", *_LI),
    PostRule(Platform.LINKEDIN, "image", *_LI, media_min=1, media_max=1, image=_LI_IMAGE, alt_text_max=4_086),
    PostRule(Platform.LINKEDIN, "multi_image", *_LI, media_min=2, media_max=20, image=_LI_IMAGE, alt_text_max=4_086),
    PostRule(Platform.X, "text", *_X, thread_max=_THREAD),
    PostRule(
        Platform.X, "image", *_X, media_min=1, media_max=1, image=_X_IMAGE, alt_text_max=1_000, thread_max=_THREAD
    ),
    PostRule(
        Platform.X, "multi_image", *_X, media_min=2, media_max=4, image=_X_IMAGE, alt_text_max=1_000, thread_max=_THREAD
    ),
    PostRule(
        Platform.X, "animated_gif", *_X, media_min=1, media_max=1, image=_X_GIF, alt_text_max=1_000, thread_max=_THREAD
    ),
    PostRule(Platform.X, "video", *_X, media_min=1, media_max=1, video=_X_VIDEO, thread_max=_THREAD),
)

"""What each platform takes: one row for each platform and format, and the check of a draft against it.

Lives here: the limits as data, each with its source and the day it was read, and `check_post`.
Not here: X's way of counting (`x_length.py`), making a text fit to publish (`post_formatting.py`), a client's own
rules (`brand_rules.py`), the table's numbers (`post_limits.py`).
"""

from collections.abc import Iterator
from dataclasses import dataclass

from draggonnb_pipelines.domain.contact_details import has_forbidden_characters
from draggonnb_pipelines.domain.little_text import escape
from draggonnb_pipelines.domain.post_limits import RULES, MediaRule, PostRule, TextRule, Unit
from draggonnb_pipelines.domain.post_marks import cashtags, hashtags, mentions
from draggonnb_pipelines.domain.publishing import Media, Platform
from draggonnb_pipelines.domain.x_length import invalid_character, weighted_length
from draggonnb_pipelines.domain.x_urls import find_urls

_ROWS = {(rule.platform, rule.format): rule for rule in RULES}


@dataclass(frozen=True, slots=True)
class Draft:
    """A post before it is scheduled.

    Args:
        thread: the posts that go on with it, in order, without the first.
    """

    text: str
    media: tuple[Media, ...] = ()
    thread: tuple[str, ...] = ()
    first_comment: str | None = None


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that the platform would not take. `field` begins with the platform: `x.text`, `instagram.media[0]`."""

    field: str
    limit: float | str
    value: float | str
    message: str


def format_of(platform: Platform, media: tuple[Media, ...]) -> str:
    """What kind of post these files make there; a kind without a row (`mixed`) cannot be published."""
    videos = sum(file.is_video for file in media)
    if platform is Platform.INSTAGRAM and len(media) > 1:
        return "carousel"
    if len(media) == 1:
        if videos:
            return "reel" if platform is Platform.INSTAGRAM else "video"
        return "animated_gif" if platform is Platform.X and media[0].content_type == "image/gif" else "image"
    if videos:
        return "mixed"
    return "multi_image" if media else "text"


def rule_for(platform: Platform, format: str) -> PostRule | None:
    """The row of the table, or None: this platform takes no such posts, or we publish none."""
    return _ROWS.get((platform, format))


def check_post(platform: Platform, draft: Draft) -> list[Fault]:
    """Everything that `platform` would refuse in `draft`, empty if nothing; each message names field, limit and value.

    A picture's size in pixels must be known where the platform limits it. What is unknown of a video (its index can
    stand at the end of the file) is left to the platform, which refuses it before anything is public.
    """
    format = format_of(platform, draft.media)
    rule = rule_for(platform, format)
    formats = [row.format for row in RULES if row.platform is platform]
    if rule is None:
        # The text's limits are the same in all formats of a platform, so that both can be mended at once.
        faults = [_not_among(f"{platform}.format", format, formats)]
        return [*faults, *_check_texts(_ROWS[platform, formats[0]], draft)]
    return [*_check_texts(rule, draft), *_check_files(rule, draft.media)]


def _check_texts(rule: PostRule, draft: Draft) -> Iterator[Fault]:
    yield from _check_text(f"{rule.platform}.text", draft.text, rule.text)
    yield from _at_most(f"{rule.platform}.thread", len(draft.thread), rule.thread_max, "posts after the first")
    for i, part in enumerate(draft.thread if rule.thread_max else ()):
        yield from _check_text(f"{rule.platform}.thread[{i}]", part, rule.text)
    if draft.first_comment is not None:
        yield from _check_text(f"{rule.platform}.first_comment", draft.first_comment, rule.comment)


def _check_text(field: str, text: str, rule: TextRule) -> Iterator[Fault]:
    length = _length(text, rule.unit)
    yield from _within(field, length, rule.min, rule.max, rule.unit)
    yield from _at_most(f"{field}.hashtags", len(hashtags(text)), rule.hashtags)
    yield from _at_most(f"{field}.mentions", len(mentions(text)), rule.mentions)
    yield from _at_most(f"{field}.cashtags", len(cashtags(text)), rule.cashtags)
    if rule.links is not None:
        yield from _at_most(f"{field}.links", len(find_urls(text)), rule.links)
    if has_forbidden_characters(text) or (rule.unit == "weighted" and invalid_character(text)):
        yield Fault(field, "no control characters", "some", f"{field}: holds a control character")


def _length(text: str, unit: Unit) -> int:
    """In UTF-16 units, the largest way of counting, where the platform does not say what a character is."""
    if not text.strip():
        return 0
    if unit == "weighted":
        return weighted_length(text)
    # LinkedIn reads its own notation, in which hashtags and brackets take more room.
    return len((escape(text) if unit == "escaped" else text).encode("utf-16-le", "surrogatepass")) // 2


def _check_files(rule: PostRule, media: tuple[Media, ...]) -> Iterator[Fault]:
    yield from _within(f"{rule.platform}.media", len(media), rule.media_min, rule.media_max, "files")
    for i, file in enumerate(media):
        field = f"{rule.platform}.media[{i}]"
        # `format_of` leads every file to a row that has limits for its kind.
        if limits := rule.video if file.is_video else rule.image:
            yield from _check_file(field, file, limits)
        if rule.alt_text_max is not None:
            length = _length(file.alt_text or "", "characters")
            yield from _at_most(f"{field}.alt_text", length, rule.alt_text_max, "characters")


def _check_file(field: str, file: Media, rule: MediaRule) -> Iterator[Fault]:
    if file.content_type not in rule.types:
        yield _not_among(f"{field}.content_type", file.content_type, sorted(rule.types))
    yield from _within(f"{field}.size_bytes", file.size_bytes, 1, rule.max_bytes, "bytes")
    if file.width and file.height:
        yield from _within(f"{field}.ratio", file.width / file.height, rule.min_ratio, rule.max_ratio, "width / height")
        yield from _within(f"{field}.width", file.width, rule.min_side, rule.max_width, "pixels")
        yield from _within(f"{field}.height", file.height, rule.min_side, None, "pixels")
        yield from _at_most(f"{field}.pixels", file.width * file.height, rule.max_pixels)
    elif not file.is_video and rule.limits_pixels:
        yield Fault(f"{field}.width", "known", "unknown", f"{field}.width: unknown, and the platform limits it")
    if file.is_video and file.duration_seconds is not None:
        limits = (rule.min_seconds, rule.max_seconds)
        yield from _within(f"{field}.duration_seconds", file.duration_seconds, *limits, "seconds")


def _at_most(field: str, value: float, limit: float | None, unit: str = "") -> Iterator[Fault]:
    yield from _within(field, value, None, limit, unit)


def _within(field: str, value: float, least: float | None, most: float | None, unit: str) -> Iterator[Fault]:
    end = f" ({unit})" if unit else ""
    if least is not None and value < least:
        yield Fault(field, least, value, f"{field}: {_number(value)} of at least {_number(least)}{end}")
    if most is not None and value > most:
        yield Fault(field, most, value, f"{field}: {_number(value)} of at most {_number(most)}{end}")


def _number(value: float) -> str:
    """Exact for what is an integer; a ratio just beyond its limit must not look like the limit."""
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _not_among(field: str, value: str, allowed: list[str]) -> Fault:
    return Fault(field, ", ".join(allowed), value, f"{field}: {value} is not among {', '.join(allowed)}")

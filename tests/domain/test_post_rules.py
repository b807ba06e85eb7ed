"""The table of what platforms take, at each of its boundaries, and how a draft's faults are told."""

from dataclasses import replace
from datetime import date

import pytest

from draggonnb_pipelines.domain.post_limits import RULES, MediaRule, PostRule
from draggonnb_pipelines.domain.post_rules import Draft, Fault, check_post, format_of, rule_for
from draggonnb_pipelines.domain.publishing import Media, Platform

NAMES = [f"{rule.platform}-{rule.format}" for rule in RULES]
every_row = pytest.mark.parametrize("rule", RULES, ids=NAMES)


def _file(rule: PostRule) -> Media:
    """A file that this row takes."""
    if rule.image is None and rule.video is not None:
        return Media("u", "video/mp4", 1_000, 1080, 1080, 30.0)
    return Media("u", "image/gif" if rule.format == "animated_gif" else "image/jpeg", 1_000, 1080, 1080)


def _draft(rule: PostRule, text: str = "a", files: int | None = None) -> Draft:
    return Draft(text, (_file(rule),) * (rule.media_min if files is None else files))


def _messages(rule: PostRule, draft: Draft) -> list[str]:
    return [fault.message for fault in check_post(rule.platform, draft)]


@every_row
def test_a_row_says_where_and_when_it_was_read_and_takes_an_ordinary_post(rule: PostRule):
    draft = _draft(rule)

    assert rule.source
    assert rule.checked_on == date(2026, 11, 23)
    assert format_of(rule.platform, draft.media) == rule.format
    assert rule_for(rule.platform, rule.format) is rule
    assert check_post(rule.platform, draft) == []


@every_row
def test_a_text_may_be_as_long_as_its_limit_and_no_longer(rule: PostRule):
    limit, field = rule.text.max, f"{rule.platform}.text"

    assert _messages(rule, _draft(rule, "")) == [f"{field}: 0 of at least 1 ({rule.text.unit})"]
    assert _messages(rule, _draft(rule, " \n")) == [f"{field}: 0 of at least 1 ({rule.text.unit})"]
    assert _messages(rule, _draft(rule, "a" * (limit - 1))) == []
    assert _messages(rule, _draft(rule, "a" * limit)) == []
    assert check_post(rule.platform, _draft(rule, "a" * (limit + 1))) == [
        Fault(field, limit, limit + 1, f"{field}: {limit + 1} of at most {limit} ({rule.text.unit})")
    ]


@every_row
def test_a_first_comment_has_a_limit_of_its_own(rule: PostRule):
    limit, field = rule.comment.max, f"{rule.platform}.first_comment"

    def told(length: int) -> list[str]:
        return _messages(rule, replace(_draft(rule), first_comment="a" * length))

    assert told(1) == told(limit - 1) == told(limit) == []
    assert told(0) == [f"{field}: 0 of at least 1 ({rule.comment.unit})"]
    assert told(limit + 1) == [f"{field}: {limit + 1} of at most {limit} ({rule.comment.unit})"]


@every_row
def test_marks_are_counted_up_to_their_limits(rule: PostRule):
    for mark, limit in (("#tag", rule.text.hashtags), ("@name", rule.text.mentions), ("$TICK", rule.text.cashtags)):
        kind = {"#": "hashtags", "@": "mentions", "$": "cashtags"}[mark[0]]
        most = limit if limit is not None else 40
        marks = " ".join([mark] * most)
        over = [] if limit is None else [f"{rule.platform}.text.{kind}: {limit + 1} of at most {limit}"]

        assert _messages(rule, _draft(rule, marks)) == []
        assert _messages(rule, _draft(rule, f"{marks} {mark}")) == over


@every_row
def test_the_number_of_files_has_two_ends(rule: PostRule):
    if rule.media_max < 2:
        return
    field = f"{rule.platform}.media"

    assert _messages(rule, _draft(rule, files=rule.media_max - 1)) == []
    assert _messages(rule, _draft(rule, files=rule.media_max)) == []
    assert _messages(rule, _draft(rule, files=rule.media_max + 1)) == [
        f"{field}: {rule.media_max + 1} of at most {rule.media_max} (files)"
    ]


@every_row
def test_a_thread_is_as_long_as_the_platform_lets_it_be(rule: PostRule):
    field, limit = f"{rule.platform}.thread", rule.thread_max

    def told(parts: int) -> list[str]:
        return _messages(rule, replace(_draft(rule), thread=("a",) * parts))

    assert told(0) == told(max(limit - 1, 0)) == told(limit) == []
    assert told(limit + 1) == [f"{field}: {limit + 1} of at most {limit} (posts after the first)"]


FILES = [
    (rule, kind, limits)
    for rule in RULES
    for kind, limits in (("image", rule.image), ("video", rule.video))
    if limits is not None
]


@pytest.mark.parametrize(
    ("rule", "kind", "limits"), FILES, ids=[f"{rule.platform}-{rule.format}-{kind}" for rule, kind, _ in FILES]
)
def test_a_file_is_held_against_each_of_its_limits(rule: PostRule, kind: str, limits: MediaRule):
    good = _file(rule) if kind == "image" or rule.image is None else Media("u", "video/mp4", 1_000, 1080, 1080, 30.0)
    rest = (_file(rule),) * (rule.media_min - 1)

    def told(**change: object) -> list[str]:
        prefix = f"{rule.platform}.media[0]."
        messages = _messages(rule, Draft("a", (replace(good, **change), *rest)))  # pyright: ignore[reportArgumentType]
        assert all(message.startswith(prefix) for message in messages)
        return [message.removeprefix(prefix) for message in messages]

    most = limits.max_bytes
    assert told(size_bytes=most - 1) == told(size_bytes=most) == told(size_bytes=1) == []
    assert told(size_bytes=most + 1) == [f"size_bytes: {most + 1} of at most {most} (bytes)"]
    assert told(size_bytes=0) == ["size_bytes: 0 of at least 1 (bytes)"]
    for content_type in limits.types - {"image/gif"}:
        assert told(content_type=content_type) == []
    other = f"{kind}/x-other"
    if rule.format != "animated_gif":  # By its type alone a file is one.
        assert told(content_type=other) == [f"content_type: {other} is not among {', '.join(sorted(limits.types))}"]
    if kind == "video":
        for least in [limits.min_seconds] if limits.min_seconds else []:
            assert (
                told(duration_seconds=least) == told(duration_seconds=least + 0.1) == told(duration_seconds=None) == []
            )
            assert told(duration_seconds=least - 0.1) == [
                f"duration_seconds: {least - 0.1:.6g} of at least {least:.6g} (seconds)"
            ]
        for longest in [limits.max_seconds] if limits.max_seconds else []:
            assert told(duration_seconds=longest) == told(duration_seconds=longest - 0.1) == []
            assert told(duration_seconds=longest + 0.1) == [
                f"duration_seconds: {longest + 0.1:.6g} of at most {longest:.6g} (seconds)"
            ]


@pytest.mark.parametrize(
    ("rule", "longest"),
    [
        pytest.param(rule, rule.alt_text_max, id=name)
        for rule, name in zip(RULES, NAMES, strict=True)
        if rule.alt_text_max
    ],
)
def test_an_alternative_text_has_a_limit(rule: PostRule, longest: int):
    rest = (_file(rule),) * (rule.media_min - 1)

    def told(length: int) -> list[str]:
        return _messages(rule, Draft("a", (replace(_file(rule), alt_text="a" * length), *rest)))

    assert told(longest - 1) == told(longest) == []
    assert told(longest + 1) == [f"{rule.platform}.media[0].alt_text: {longest + 1} of at most {longest} (characters)"]


@pytest.mark.parametrize(
    ("platform", "content_type", "width", "height", "told"),
    [
        (Platform.INSTAGRAM, "image/jpeg", 800, 1000, []),
        (Platform.INSTAGRAM, "image/jpeg", 799, 1000, ["ratio: 0.799 of at least 0.8 (width / height)"]),
        (Platform.INSTAGRAM, "image/jpeg", 1910, 1000, []),
        (Platform.INSTAGRAM, "image/jpeg", 1911, 1000, ["ratio: 1.911 of at most 1.91 (width / height)"]),
        (Platform.INSTAGRAM, "image/jpeg", None, None, ["width: unknown, and the platform limits it"]),
        (Platform.INSTAGRAM, "video/mp4", 1920, 1080, []),
        (Platform.INSTAGRAM, "video/mp4", 1921, 1080, ["width: 1921 of at most 1920 (pixels)"]),
        (Platform.INSTAGRAM, "video/mp4", None, None, []),
        (Platform.LINKEDIN, "image/png", 36_152_319, 1, []),
        (Platform.LINKEDIN, "image/png", 36_152_320, 1, ["pixels: 36152320 of at most 36152319"]),
        (Platform.X, "image/gif", 1280, 1080, []),
        (Platform.X, "image/gif", 1281, 1080, ["width: 1281 of at most 1280 (pixels)"]),
        (Platform.X, "video/mp4", 32, 32, []),
        (Platform.X, "video/mp4", 32, 31, ["height: 31 of at least 32 (pixels)"]),
        (Platform.X, "video/mp4", 300, 100, []),
        (Platform.X, "video/mp4", 301, 100, ["ratio: 3.01 of at most 3 (width / height)"]),
        (Platform.X, "video/mp4", 100, 300, []),
        (Platform.X, "video/mp4", 100, 301, ["ratio: 0.332226 of at least 0.333333 (width / height)"]),
        (Platform.X, "image/webp", None, None, []),
        (Platform.FACEBOOK, "image/tiff", None, None, []),
    ],
)
def test_measures_of_pictures_and_videos(
    platform: Platform, content_type: str, width: int | None, height: int | None, told: list[str]
):
    faults = check_post(platform, Draft("a", (Media("u", content_type, 1_000, width, height, 30.0),)))

    assert [fault.message for fault in faults] == [f"{platform}.media[0].{message}" for message in told]


JPEG, GIF, MP4 = (Media("u", kind, 1_000, 1080, 1080) for kind in ("image/jpeg", "image/gif", "video/mp4"))


@pytest.mark.parametrize(
    ("platform", "media", "format", "told"),
    [
        (Platform.INSTAGRAM, (), "text", ["instagram.format: text is not among image, carousel, reel"]),
        (Platform.INSTAGRAM, (JPEG, MP4), "carousel", []),
        (Platform.LINKEDIN, (MP4,), "video", ["linkedin.format: video is not among text, image, multi_image"]),
        (
            Platform.FACEBOOK,
            (JPEG, MP4),
            "mixed",
            ["facebook.format: mixed is not among text, image, multi_image, video"],
        ),
        (
            Platform.X,
            (JPEG, GIF),
            "multi_image",
            ["x.media[1].content_type: image/gif is not among image/jpeg, image/png, image/webp"],
        ),
        (Platform.X, (GIF,), "animated_gif", []),
        (Platform.LINKEDIN, (GIF,), "image", []),
        (
            Platform.X,
            (Media("u", "application/pdf", 1),),
            "image",
            ["x.media[0].content_type: application/pdf is not among image/jpeg, image/png, image/webp"],
        ),
    ],
)
def test_files_that_make_no_post_there_are_refused(
    platform: Platform, media: tuple[Media, ...], format: str, told: list[str]
):
    assert format_of(platform, media) == format
    assert [fault.message for fault in check_post(platform, Draft("a", media))] == told


@pytest.mark.parametrize(
    ("platform", "draft", "told"),
    [
        (Platform.X, Draft("\u306e" * 141), ["x.text: 282 of at most 280 (weighted)"]),
        (Platform.X, Draft("a" * 200 + " https://kloof.co.za/" + "b" * 200), []),
        (Platform.X, Draft("a", thread=("b", "c" * 281)), ["x.thread[1]: 281 of at most 280 (weighted)"]),
        (Platform.X, Draft("a", thread=("",)), ["x.thread[0]: 0 of at least 1 (weighted)"]),
        (Platform.X, Draft("a\ufeff"), ["x.text: holds a control character"]),
        (Platform.X, Draft("$AAPL, $5 and R50"), []),
        (Platform.X, Draft("$AAPL, $MSFT"), ["x.text.cashtags: 2 of at most 1"]),
        (Platform.FACEBOOK, Draft("a\x00"), ["facebook.text: holds a control character"]),
        (Platform.FACEBOOK, Draft("\U0001f44d" * 31_604), ["facebook.text: 63208 of at most 63206 (characters)"]),
        (Platform.LINKEDIN, Draft("a" * 2_999 + "("), ["linkedin.text: 3001 of at most 3000 (escaped)"]),
        (
            Platform.INSTAGRAM,
            Draft("a", (JPEG,), first_comment="kloof.co.za kloof.com"),
            ["instagram.first_comment.links: 2 of at most 1"],
        ),
        (
            Platform.INSTAGRAM,
            Draft("#1 a#b " + "shop/#x " + "#tag " * 31, (JPEG,)),
            ["instagram.text.hashtags: 31 of at most 30"],
        ),
        (
            Platform.INSTAGRAM,
            Draft("a@b.co " + "@kloof.coffee " * 21, (JPEG,)),
            ["instagram.text.mentions: 21 of at most 20"],
        ),
        (
            Platform.INSTAGRAM,
            Draft("a" * 2_201, thread=("b",)),
            [
                "instagram.format: text is not among image, carousel, reel",
                "instagram.text: 2201 of at most 2200 (characters)",
                "instagram.thread: 1 of at most 0 (posts after the first)",
            ],
        ),
    ],
)
def test_every_fault_names_field_limit_and_value(platform: Platform, draft: Draft, told: list[str]):
    assert [fault.message for fault in check_post(platform, draft)] == told

"""The numbers of the table as they were read, so that a slip of the hand shows."""

from draggonnb_pipelines.domain.post_limits import RULES, PostRule


def test_the_table_holds_these_numbers():
    def numbers(rule: PostRule) -> tuple[int | None, ...]:
        image, video = rule.image, rule.video
        sizes = (image.max_bytes if image else None, video.max_bytes if video else None)
        return (rule.media_min, rule.media_max, *sizes, rule.alt_text_max, rule.thread_max, rule.comment.max)

    assert {f"{rule.platform} {rule.format}": numbers(rule) for rule in RULES} == {
        "facebook text": (0, 0, None, None, None, 0, 8_000),
        "facebook image": (1, 1, 4_000_000, None, None, 0, 8_000),
        "facebook multi_image": (2, 10, 4_000_000, None, None, 0, 8_000),
        "facebook video": (1, 1, None, 4_000_000_000, None, 0, 8_000),
        "instagram image": (1, 1, 8_388_608, None, 1_000, 0, 2_196),
        "instagram carousel": (2, 10, 8_388_608, 100_000_000, 1_000, 0, 2_196),
        "instagram reel": (1, 1, None, 300_000_000, None, 0, 2_196),
        "linkedin text": (0, 0, None, None, None, 0, 1_250),
        "linkedin image": (1, 1, 5_000_000, None, 4_086, 0, 1_250),
        "linkedin multi_image": (2, 20, 5_000_000, None, 4_086, 0, 1_250),
        "x text": (0, 0, None, None, None, 24, 280),
        "x image": (1, 1, 5_000_000, None, 1_000, 24, 280),
        "x multi_image": (2, 4, 5_000_000, None, 1_000, 24, 280),
        "x animated_gif": (1, 1, 15_000_000, None, 1_000, 24, 280),
        "x video": (1, 1, None, 512_000_000, None, 24, 280),
    }
    seconds = {
        f"{rule.platform} {rule.format}": (rule.video.min_seconds, rule.video.max_seconds)
        for rule in RULES
        if rule.video
    }
    assert seconds == {
        "facebook video": (None, None),
        "instagram carousel": (3.0, 60.0),
        "instagram reel": (3.0, 900.0),
        "x video": (0.5, 140.0),
    }

"""What a run of the content group works on; shared by its assets."""

import dagster as dg

from draggonnb_pipelines.tenant_runs import TenantRun

GROUP = "content"
OWNERS = ["team:content"]
CHAIN = "work_through_content"
# The checks that the chain records for each partition, by asset.
CHECKS = {
    "generated_posts": {
        "brand_rules_kept": "No banned word or claim, and the disclaimer is there; else the post is blocked.",
        "claims_have_sources": "Every price and percentage stands in the brief or the template.",
        "nothing_said_twice": "No post says nearly the same as an earlier one, or goes out beside another.",
        "platform_rules_kept": "Lengths, hashtags, links and media as each platform takes them.",
    },
    "published_posts": {
        "no_open_questions": "No post waits for a person; each that does is shown with its question.",
        "out_on_time": "Posts are out within a minute of their time.",
    },
}


class ContentRun(dg.Config):
    """Either new requests, or what is due. A range chosen in the UI needs neither.

    Args:
        batch_id: requests that the sensor `content_inbox` gave to this run: they are generated and put on the queue.
        shard: without a batch: publish what is due for this part of the organizations, by the agenda.
        everyone: look into every organization of the shard instead of the agenda's.
    """

    batch_id: str | None = None
    shard: int = 0
    everyone: bool = False


def is_generation(run: TenantRun[ContentRun]) -> bool:
    """New requests are worked on: nothing is published."""
    return run.config.batch_id is not None


def is_publishing(run: TenantRun[ContentRun]) -> bool:
    """What is due goes out: nothing is generated."""
    return run.config.batch_id is None

"""What a page's posts and videos are asked for.

Lives here: which names go to which kind of post. Does not live here: the asking (`graph_metrics.py`), the names
themselves (`domain/metric_registry.py`). A video is published by an id of its own, without the page's in front, and has
no `insights` edge. Source: Meta, Page Post, Page Insights and Video Insights; what they leave out was seen, not read.
"""

from collections.abc import Sequence
from datetime import date

from draggonnb_pipelines.domain.metric_registry import FIELD, INSIGHTS, VIDEO_FIELD, VIDEO_INSIGHTS, live_sources
from draggonnb_pipelines.domain.metrics import Metric, Readings
from draggonnb_pipelines.domain.publishing import Account, Platform
from draggonnb_pipelines.resources.graph import Graph
from draggonnb_pipelines.resources.graph_metrics import Questions, read_posts

_EXPANSIONS = {name: f"{name}.summary(total_count).limit(0)" for name in ("reactions", "comments")}
# Graph leaves the field out of a post that nobody shared.
_LEFT_OUT = frozenset({"shares"})


async def read_metrics(graph: Graph, account: Account, post_ids: Sequence[str], *, on: date) -> Readings:
    """The numbers of a page's posts and videos, as its names are on a day; the read_insights right is needed for most.

    Raises:
        VendorError: nothing was learned about any of them.
    """
    sources = live_sources(Platform.FACEBOOK, on, graph.version)
    by_way = {way: tuple(source for source in sources if source.via == way) for way in {one.via for one in sources}}
    post = Questions("insights", by_way.get(INSIGHTS, ()), by_way.get(FIELD, ()), _EXPANSIONS, _LEFT_OUT)
    untold = {Metric.CLICKS: "Facebook does not tell it of a video"}
    video = Questions(
        "video_insights", by_way.get(VIDEO_INSIGHTS, ()), by_way.get(VIDEO_FIELD, ()), _EXPANSIONS, untold=untold
    )
    return await read_posts(graph, account, {post_id: post if "_" in post_id else video for post_id in post_ids})

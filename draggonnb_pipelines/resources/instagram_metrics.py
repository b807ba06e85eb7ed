"""What Instagram's media are asked for.

Lives here: which names go to a medium. Does not live here: the asking (`graph_metrics.py`), the names themselves
(`domain/metric_registry.py`). Instagram's numbers are up to 48 hours late, and what it does not know yet it leaves out.
Source: Meta, Instagram Platform, "Instagram Media Insights" of 18 June 2026.
"""

from collections.abc import Sequence
from datetime import date

from draggonnb_pipelines.domain.metric_registry import FIELD, INSIGHTS, live_sources
from draggonnb_pipelines.domain.metrics import Readings
from draggonnb_pipelines.domain.publishing import Account, Platform
from draggonnb_pipelines.resources.graph import Graph
from draggonnb_pipelines.resources.graph_metrics import Questions, read_posts


async def read_metrics(graph: Graph, account: Account, post_ids: Sequence[str], *, on: date) -> Readings:
    """The numbers of an account's media, as Instagram's names are on a day; the instagram_manage_insights right is
    needed for most.

    Raises:
        VendorError: nothing was learned about any of them.
    """
    sources = live_sources(Platform.INSTAGRAM, on, graph.version)
    medium = Questions(
        "insights",
        tuple(source for source in sources if source.via == INSIGHTS),
        tuple(source for source in sources if source.via == FIELD),
    )
    return await read_posts(graph, account, dict.fromkeys(post_ids, medium))

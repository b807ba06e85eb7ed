"""A platform's answer about one post, read by the registry's names.

Lives here: which of an answer's values is a count, and why the others are not. Does not live here: the names
(`metric_registry.py`), the calls that bring the answer (`resources/`).
"""

from collections.abc import Mapping, Sequence
from typing import Any

from draggonnb_pipelines.domain.metric_registry import MetricSource
from draggonnb_pipelines.domain.metrics import Metric, Reading

# A hundred times what the most watched videos have; the sums of many posts stay exact, and fit into a bigint.
_MAX_COUNT = 10**12


def reading_of(platform_post_id: str, sources: Sequence[MetricSource], given: Any) -> Reading:
    """The post's counts by the names of `sources`; where two names mean one metric, the first that is a count.

    Args:
        given: the object with the counts, as it came: fields that nobody asked for are ignored, and one that is no
            object holds nothing.
    """
    answer = given if isinstance(given, Mapping) else {}
    values: dict[Metric, int] = {}
    missing: dict[Metric, str] = {}
    for source in sources:
        if source.metric in values:
            continue
        value = answer.get(source.name)
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MAX_COUNT:
            values[source.metric] = value
        elif source.name in answer:
            missing[source.metric] = f"{source.name}: {_fault(value)}"
        else:
            missing.setdefault(source.metric, f"{source.name}: not in the answer")
    return Reading(platform_post_id, values, {metric: why for metric, why in missing.items() if metric not in values})


def no_reading(platform_post_id: str, sources: Sequence[MetricSource], reason: str) -> Reading:
    """A post of which nothing was counted, for one reason."""
    return Reading(platform_post_id, missing={source.metric: reason for source in sources})


def _fault(value: Any) -> str:
    if value is None:
        return "null in the answer"
    if isinstance(value, int) and not isinstance(value, bool):
        return "no possible count in the answer"
    return "no number in the answer"

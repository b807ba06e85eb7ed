"""The numbers of posts by the Graph API: asked for in batches, name by name where a name is refused.

Lives here: what Facebook pages and Instagram share, from the question to the `Readings`. Does not live here: which
names each of them has (`domain/metric_registry.py`), which of their posts is asked for what (`facebook_metrics.py`,
`instagram_metrics.py`), errors (`graph_errors.py`).
One invalid name makes Graph refuse the whole object (code 100), so a refused object is asked again for each name alone.
Source: Meta, Graph API "Batch Requests", "Insights", "Field Expansion".
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from draggonnb_pipelines.domain.metric_answers import reading_of
from draggonnb_pipelines.domain.metric_registry import MetricSource
from draggonnb_pipelines.domain.metrics import Metric, Reading, Readings
from draggonnb_pipelines.domain.publishing import Account, Limits
from draggonnb_pipelines.errors import ErrorClass, VendorError
from draggonnb_pipelines.resources.graph import Graph
from draggonnb_pipelines.resources.graph_errors import MISSING_NODE, TOO_FEW_VIEWERS

BATCH_SIZE = 50
# The classes that are about one post's one name; every other trouble would meet the next question too.
_OF_ONE_NAME = frozenset({ErrorClass.INPUT, ErrorClass.PERMISSION})
_STOPS = frozenset({ErrorClass.AUTH, ErrorClass.THROTTLED, ErrorClass.BLOCKED, ErrorClass.CONFIG})


@dataclass(frozen=True, slots=True)
class Questions:
    """What one kind of post is asked for.

    Args:
        edge: where its insights are: `insights`, or `video_insights` of a page's video.
        insights, fields: the names, each as the registry has them.
        expansions: of a field, how its number is asked for, where it is more than the field's name.
        left_out: fields that are not there when their number is 0.
        untold: metrics that this kind of post has no number for, with the reason.
    """

    edge: str
    insights: tuple[MetricSource, ...]
    fields: tuple[MetricSource, ...]
    expansions: Mapping[str, str] = field(default_factory=dict)
    left_out: frozenset[str] = frozenset()
    untold: Mapping[Metric, str] = field(default_factory=dict)

    @property
    def sources(self) -> tuple[MetricSource, ...]:
        """All of them, in the order in which they count."""
        return self.fields + self.insights

    def whole(self) -> str:
        """The query that asks for everything at once."""
        names = ",".join(dict.fromkeys(_asked(source) for source in self.insights))
        insights = [f"{self.edge}.metric({names})"] if names else []
        return f"fields={','.join(['id', *(self._expanded(source) for source in self.fields), *insights])}"

    def alone(self, post_id: str) -> Iterator[tuple[MetricSource, str]]:
        """Each name with the path that asks for it alone."""
        for source in self.fields:
            yield source, f"{quote(post_id, safe='')}?fields=id,{self._expanded(source)}"
        for source in self.insights:
            yield source, f"{quote(post_id, safe='')}/{self.edge}?metric={_asked(source)}"

    def given(self, source: MetricSource, body: Mapping[str, Any]) -> dict[str, Any]:
        """What an object, or the answer of its insights edge, gives under a name; empty where it gives nothing."""
        if source in self.fields:
            if source.name in body:
                return {source.name: _count(body[source.name])}
            return {source.name: 0} if source.name in self.left_out else {}
        insights = body.get(self.edge, body)
        items = insights.get("data") if isinstance(insights, dict) else None
        for item in items if isinstance(items, list) else ():
            if isinstance(item, dict) and item.get("name") == _asked(source):
                return {source.name: _lifetime(source, item)}
        return {}

    def _expanded(self, source: MetricSource) -> str:
        return self.expansions.get(source.name, source.name)


@dataclass(slots=True)
class _Tally:
    """What has been learned so far."""

    readings: list[Reading] = field(default_factory=list)
    unread: dict[str, VendorError] = field(default_factory=dict)
    gone: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    calls: int = 0
    limits: Limits | None = None
    stop: VendorError | None = None


async def read_posts(graph: Graph, account: Account, posts: Mapping[str, Questions]) -> Readings:
    """Ask for the numbers of posts, by the questions that each is to be asked.

    Raises:
        VendorError: nothing was learned about any post; the trouble of the first.
    """
    tally = _Tally()
    whole = [(post_id, f"{quote(post_id, safe='')}?{questions.whole()}") for post_id, questions in posts.items()]
    for (post_id, _), answer in zip(whole, await _ask(graph, account, tally, whole), strict=True):
        if not isinstance(answer, VendorError):
            tally.readings.append(_reading(post_id, posts[post_id], [answer] * len(posts[post_id].sources)))
        elif answer is tally.stop or answer.error_class not in _OF_ONE_NAME:
            tally.unread[post_id] = answer
        elif answer.code in MISSING_NODE:
            tally.gone.append(post_id)
        else:
            tally.refused.append(post_id)
    await _ask_name_by_name(graph, account, tally, posts)
    await _settle_gone(graph, account, tally)
    if tally.unread and not tally.readings:
        raise next(iter(tally.unread.values()))
    return Readings(
        tuple(tally.readings), tally.unread, calls=tally.calls, limits=tally.limits, api_version=graph.version
    )


async def _ask(
    graph: Graph, account: Account, tally: _Tally, paths: Sequence[tuple[str, str]]
) -> list[dict[str, Any] | VendorError]:
    """Pairs of a post's id and a path: the answer of each.

    A call that failed, whatever its class, says nothing about any post. It, and what concerns the account or Graph
    itself, stop us and are the answer to all that is left.
    """
    answers: list[dict[str, Any] | VendorError] = []
    for start in range(0, len(paths), BATCH_SIZE):
        batch = [path for _, path in paths[start : start + BATCH_SIZE]]
        if tally.stop is not None:
            answers += [tally.stop] * len(batch)
            continue
        tally.calls += 1
        try:
            found, limits = await graph.read_many(account.token, batch)
        except VendorError as error:
            tally.stop = error
            answers += [tally.stop] * len(batch)
            continue
        tally.limits = limits or tally.limits
        errors = [one for one in found if isinstance(one, VendorError)]
        tally.stop = next((error for error in errors if error.error_class in _STOPS), None)
        answers += found
    return answers


async def _ask_name_by_name(graph: Graph, account: Account, tally: _Tally, posts: Mapping[str, Questions]) -> None:
    """What was refused as a whole: each of its names alone."""
    alone = [(post_id, *one) for post_id in tally.refused for one in posts[post_id].alone(post_id)]
    answers = await _ask(graph, account, tally, [(post_id, path) for post_id, _, path in alone])
    answers_of: dict[str, list[dict[str, Any] | VendorError]] = {post_id: [] for post_id in tally.refused}
    for (post_id, _, _), answer in zip(alone, answers, strict=True):
        answers_of[post_id].append(answer)
    for post_id, answered in answers_of.items():
        reading = _reading(post_id, posts[post_id], answered)
        errors = [answer for answer in answered if isinstance(answer, VendorError)]
        trouble = [error for error in errors if error is tally.stop or error.error_class not in _OF_ONE_NAME]
        if not reading.values:
            trouble += [error for error in errors if error.error_class is ErrorClass.PERMISSION]
        if trouble:
            tally.unread[post_id] = trouble[0]
        elif any(error.code in MISSING_NODE for error in errors):
            tally.gone.append(post_id)
        else:
            tally.readings.append(reading)


async def _settle_gone(graph: Graph, account: Account, tally: _Tally) -> None:
    """Graph says the same of a post that was deleted and of one that the login may no longer see: if the account itself
    cannot be read either, nothing is known about the post."""
    if not tally.gone:
        return
    tally.calls += 1
    try:
        await graph.read(account.token, account.external_id, fields="id")
    except VendorError as error:
        if error.error_class is ErrorClass.INPUT:
            error = graph.error(ErrorClass.PERMISSION, "the account and its posts cannot be seen", code=error.code)
        tally.unread |= dict.fromkeys(tally.gone, error)
    else:
        tally.readings += [Reading(post_id, is_gone=True) for post_id in tally.gone]


def _reading(post_id: str, questions: Questions, answers: Sequence[dict[str, Any] | VendorError]) -> Reading:
    """The post by the answers to each of its names, in the order of `sources`."""
    given: dict[str, Any] = {}
    refusals: dict[Metric, str] = {}
    for source, answer in zip(questions.sources, answers, strict=True):
        if isinstance(answer, VendorError):
            refusals.setdefault(source.metric, f"{_asked(source)}: {_refusal(answer)}")
        else:
            given |= questions.given(source, answer)
    read = reading_of(post_id, questions.sources, given)
    missing = {metric: refusals.get(metric, reason) for metric, reason in read.missing.items()}
    return Reading(post_id, read.values, {**questions.untold, **missing})


def _refusal(error: VendorError) -> str:
    if error.code == TOO_FEW_VIEWERS:
        return "too few viewers to tell"
    if error.error_class is ErrorClass.PERMISSION:
        return f"the login lacks the right to read it (code {error.code})"
    return f"refused (code {error.code})"


def _asked(source: MetricSource) -> str:
    return source.name.partition(".")[0]


def _count(value: Any) -> Any:
    """A field's number: plain, `{"count": 3}` or `{"summary": {"total_count": 3}}`."""
    summary = value.get("summary", value) if isinstance(value, dict) else value
    return summary.get("total_count", summary.get("count")) if isinstance(summary, dict) else summary


def _lifetime(source: MetricSource, item: Mapping[str, Any]) -> Any:
    """An insight's number: `values[0].value`, or `total_value.value` in newer answers. Of one that is broken down the
    named part, where Graph leaves a part out that is 0, or else the sum."""
    values = item.get("values")
    first = values[0] if isinstance(values, list) and values else item.get("total_value")
    value = first.get("value") if isinstance(first, dict) else None
    if not isinstance(value, dict):
        return value
    if key := source.name.partition(".")[2]:
        return value.get(key, 0)
    parts = list(value.values())
    return sum(parts) if all(type(part) is int for part in parts) else value

"""The figures of a snapshot as a reader meets them: tiles, rows of platforms, changes on the week before.

Lives here: how one figure is named, written and compared, and what stands there when it is missing. Not here: which
figures make a report (`report_content.py`).
"""

from collections.abc import Mapping
from datetime import date
from typing import Any

from draggonnb_pipelines.workflows.analytics.report_words import Words

RATES = ("rate_by_reach", "rate_by_views")


class Figures:
    """Reads the figures of a week by name: a metric's gain, `engagements`, a rate, or `posts`."""

    def __init__(self, metrics: Mapping[str, Any], words: Words) -> None:
        self.metrics = metrics
        self.words = words

    def value(self, name: str) -> Any:
        """What came in during the week; None if it is not known."""
        return _value(self.metrics, name)

    def text(self, name: str) -> str:
        """The figure as text, or that it is not known."""
        return self.shown(name, self.value(name))

    def growth(self, name: str) -> Mapping[str, Any]:
        """value, previous, change and percent (of 100) against the week before; empty if there is nothing."""
        return self.metrics["growth"].get("published" if name == "posts" else name) or {}

    def tiles(self, published: int) -> list[dict[str, str | bool]]:
        """The four figures on top, each with how it changed."""
        metrics = self.metrics
        first = "views" if self.value("reach") is None and self.value("views") is not None else "reach"
        by_views = self.value("rate_by_reach") is None and self.value("rate_by_views") is not None
        rate = "rate_by_views" if by_views else "rate_by_reach"
        uncounted = {first: metrics["gained"].get(first, {}).get("missing", 0)}
        shown = [(name, self.text(name), self._change(name), uncounted.get(name, 0)) for name in (first, "engagements")]
        shown.append((rate, self.text(rate), self._points(rate), 0))
        shown.append(("posts", self.words.number(published), self._difference("posts"), 0))
        return [
            {
                "label": self.words.say(f"tile.{name}"),
                "value": text,
                "is_known": name == "posts" or self.value(name) is not None,
                "change": change if name == "posts" or self.value(name) is not None else "",
                "way": self._way(name),
                "note": self.words.count("tile.missing_posts", missing) if missing else "",
            }
            for name, text, change, missing in shown
        ]

    def platforms(self) -> list[dict[str, Any]]:
        """One row a platform, those with the most engagements first; `share` is of the largest, in percent."""
        own = self.metrics["platforms"]
        values = {platform: _value(figures, "engagements") for platform, figures in own.items()}
        largest = max([value for value in values.values() if value is not None], default=0)
        rows = []
        for platform in sorted(own, key=lambda name: (-(values[name] or 0), name)):
            figures, engagements = own[platform], values[platform]
            rows.append(
                {
                    "name": self.words.name("platform", platform),
                    "posts": self.words.number(figures["posts"]["published"]),
                    "reach": self._reach_of(figures),
                    "engagements": self.shown("engagements", engagements),
                    "rate": self._rate_of(figures),
                    "share": round(100 * engagements / largest) if engagements and largest > 0 else 0,
                }
            )
        return rows

    def anomaly(self, one: Mapping[str, Any]) -> str | None:
        """A figure far from what this client is used to, in words; None if we have no name for it."""
        label = self.label(one["figure"])
        if label is None:
            return None
        name, value = one["figure"], one["value"]
        way = "high" if value > one["high"] else "low"
        return self.words.say(
            f"value.anomaly_{way}",
            figure=label[:1].upper() + label[1:],
            day=self.words.weekday(date.fromisoformat(one["day"]).weekday()),
            value=self.shown(name, value),
            low=self.shown(name, max(one["low"], 0)),
            high=self.shown(name, one["high"]),
        )

    def label(self, path: str) -> str | None:
        """`gained.reach.value` → `reach`, `platforms.x.engagements.gained` → `X: engagements`; None: not to be told."""
        parts = [part for part in path.split(".") if part not in ("gained", "value", "totals", "published")]
        platform = ""
        if parts[:1] == ["platforms"] and len(parts) > 1:
            platform, parts = self.words.name("platform", parts[1]) + ": ", parts[2:]
        if len(parts) != 1 or not self.words.has("metric", parts[0]):
            return None
        return platform + self.words.name("metric", parts[0])

    def shown(self, name: str, value: Any) -> str:
        """A value as its figure is written; None says that it is not known."""
        if value is None:
            return self.words.say("value.unknown")
        if any(rate in name for rate in RATES):
            return self.words.percent(value)
        return self.words.number(round(value))

    def _way(self, name: str) -> str:
        change = self.growth(name).get("change")
        return "" if self.value(name) is None or not change else "up" if change > 0 else "down"

    def _change(self, name: str) -> str:
        percent = self.growth(name).get("percent")
        if percent is None:
            return self._difference(name)
        if not percent:
            return self.words.say("tile.same")
        return self.words.say(f"tile.{'up' if percent > 0 else 'down'}", percent=self.words.percent(abs(percent) / 100))

    def _difference(self, name: str) -> str:
        change = self.growth(name).get("change")
        if change is None:
            return ""  # there is no week before to compare with
        if not change:
            return self.words.say("tile.same")
        way = "up" if change > 0 else "down"
        return self.words.say(f"tile.{way}_number", number=self.words.number(abs(round(change))))

    def _points(self, name: str) -> str:
        change = self.growth(name).get("change")
        if change is None:
            return ""  # there is no week before to compare with
        points = round(100 * change, 1)
        if not points:
            return self.words.say("tile.same")
        way = "up" if points > 0 else "down"
        return self.words.say(f"tile.{way}_points", points=self.words.number(abs(points)))

    def _reach_of(self, figures: Mapping[str, Any]) -> str:
        """Where a platform never tells reach nothing is missing; that is something else than a number that is."""
        reach = figures["gained"].get("reach", {})
        if reach.get("value") is None and not reach.get("missing"):
            return self.words.say("value.untold")
        return self.shown("reach", reach.get("value"))

    def _rate_of(self, figures: Mapping[str, Any]) -> str:
        by_reach, by_views = (_value(figures, name) for name in RATES)
        if by_reach is None and by_views is not None:
            return self.words.say("value.of_views", rate=self.words.percent(by_views))
        return self.shown("rate_by_reach", by_reach)


def _value(figures: Mapping[str, Any], name: str) -> Any:
    if name == "posts":
        return figures["posts"]["published"]
    if name == "engagements":
        return figures["engagements"].get("gained")
    if name in RATES:
        return (figures.get(name) or {}).get("value")
    return figures["gained"].get(name, {}).get("value")

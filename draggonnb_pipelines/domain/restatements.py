"""Whether a period's figures have changed since they were stored, and which of them.

Not here: the figures (`engagement.py`), and the versions (`workflows/analytics/snapshots.py`).
"""

from collections.abc import Iterator, Mapping
from typing import Any

# They tell of a version, not of the period: the same numbers from other rows are the same numbers.
_OF_THE_VERSION = frozenset({"restated", "sources"})


def changes_of(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Each figure that differs, by its path such as `totals.views.value`, as [before, after]; None stands for absent.

    A list is one figure: its rows move as a whole.
    """
    if _of_the_period(before) == _of_the_period(after):  # as nearly always, and many times faster
        return {}
    old, new = dict(_leaves(_of_the_period(before))), dict(_leaves(_of_the_period(after)))
    return {path: [old.get(path), new.get(path)] for path in sorted(old.keys() | new.keys()) if _differ(old, new, path)}


def _differ(old: Mapping[str, Any], new: Mapping[str, Any], path: str) -> bool:
    return old.get(path) != new.get(path) or (path in old) != (path in new)


def _of_the_period(figures: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in figures.items() if name not in _OF_THE_VERSION}


def _leaves(figures: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in figures.items():
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, f"{path}{name}.")
        else:
            yield f"{path}{name}", value

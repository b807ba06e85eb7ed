"""What a client's app knows of posts and times is what we know: its table of limits and its vectors are ours.

The vectors are held against our own rules here (`x_length.json` in `test_x_length.py`), and against the app's by its
tests (`client_template/tests/lib/posts`). Not here: the rules at each of their boundaries (`test_post_rules.py`).
"""

import json
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from draggonnb_pipelines.domain.post_limits import RULES, MediaRule, PostRule
from draggonnb_pipelines.domain.post_rules import Draft, check_post
from draggonnb_pipelines.domain.publishing import Media, Platform
from draggonnb_pipelines.domain.wall_time import WallTimeRefused, as_text, publish_time, resolve

VECTORS = Path(__file__).parent / "vectors"
CLIENT = Path(__file__).parents[2] / "client_template"
POSTS = json.loads((VECTORS / "post_rules.json").read_text(encoding="utf-8"))["cases"]
TIMES = json.loads((VECTORS / "wall_time.json").read_text(encoding="utf-8"))


def _row(rule: PostRule) -> dict[str, Any]:
    """A row as the app reads it: where a number was read is our affair."""
    row = {name: value for name, value in asdict(rule).items() if name not in ("source", "checked_on")}
    return row | {"image": _limits(rule.image), "video": _limits(rule.video)}


def _limits(rule: MediaRule | None) -> dict[str, Any] | None:
    return rule and asdict(rule) | {"types": sorted(rule.types)}


def _draft(case: dict[str, Any]) -> Draft:
    variant = case["variant"]
    media = tuple(
        Media("", **{name: value for name, value in one.items() if name not in ("path", "alt")}, alt_text=one["alt"])
        for one in case["media"]
    )
    return Draft(variant["text"], media, tuple(variant["thread"]), variant["first_comment"])


def test_the_apps_table_of_limits_is_ours():
    theirs = json.loads((CLIENT / "lib" / "posts" / "limits.json").read_text(encoding="utf-8"))

    assert theirs == [_row(rule) for rule in RULES]


@pytest.mark.parametrize("name", ["x_length.json", "post_rules.json", "wall_time.json"])
def test_the_apps_vectors_are_ours_to_the_byte(name: str):
    assert (CLIENT / "tests" / "vectors" / name).read_bytes() == (VECTORS / name).read_bytes()


def test_every_draft_has_the_faults_that_its_vector_names():
    for case in POSTS:
        assert [asdict(fault) for fault in check_post(Platform(case["platform"]), _draft(case))] == case["faults"]
    assert {case["platform"] for case in POSTS} == set(Platform)


@pytest.mark.parametrize("vector", TIMES["resolve"], ids=lambda vector: f"{vector['local']} {vector['zone']}")
def test_a_wall_time_means_what_its_vector_says(vector: dict[str, str]):
    local = datetime.fromisoformat(vector["local"])

    if "refused" in vector:
        with pytest.raises(WallTimeRefused) as refused:
            resolve(local, vector["zone"])
        assert refused.value.detail == vector["refused"]
    else:
        resolved = resolve(local, vector["zone"])
        assert resolved.utc == datetime.fromisoformat(vector["utc"])
        assert as_text(resolved) == vector["text"]


@pytest.mark.parametrize("vector", TIMES["as_text"], ids=lambda vector: f"{vector['utc']} {vector['zone']}")
def test_an_instant_has_the_text_that_its_vector_says(vector: dict[str, str]):
    at = publish_time(vector["utc"], vector["zone"], now=datetime.fromisoformat(vector["utc"]))

    assert as_text(at) == vector["text"]

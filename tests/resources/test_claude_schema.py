"""A model's limits stay with pydantic; Claude gets the schema that it takes."""

from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field

from draggonnb_pipelines.resources.claude import strict_schema


class Win(BaseModel):
    """One action."""

    title: str = Field(max_length=80, description="At most ten words.")
    effort: Literal["low", "high"]
    steps: list[Annotated[str, Field(min_length=3)]] = Field(min_length=2, max_length=4)


class Analysis(BaseModel):
    score: int = Field(ge=0, le=100)
    win: Win
    price: float | None
    tags: list[str] = Field(min_length=1)


class Endless(BaseModel):
    children: list["Endless"]


class Open(BaseModel):
    anything: dict[str, str]


class Untyped(BaseModel):
    value: Any


class Pair(BaseModel):
    pair: tuple[int, str]


def test_every_object_is_closed_and_limits_become_words():
    assert strict_schema(Analysis) == {
        "type": "object",
        "properties": {
            "score": {"type": "integer", "description": "(minimum: 0, maximum: 100)"},
            "win": {"$ref": "#/$defs/Win"},
            "price": {"anyOf": [{"type": "number"}, {"type": "null"}]},
            "tags": {"type": "array", "items": {"type": "string"}, "minItems": 1},
        },
        "required": ["score", "win", "price", "tags"],
        "additionalProperties": False,
        "$defs": {
            "Win": {
                "type": "object",
                "description": "One action.",
                "properties": {
                    "title": {"type": "string", "description": "At most ten words. (maxLength: 80)"},
                    "effort": {"type": "string", "enum": ["low", "high"]},
                    "steps": {
                        "type": "array",
                        "items": {"type": "string", "description": "(minLength: 3)"},
                        "description": "(minItems: 2, maxItems: 4)",
                    },
                },
                "required": ["title", "effort", "steps"],
                "additionalProperties": False,
            }
        },
    }


@pytest.mark.parametrize(
    ("model", "place"),
    [
        (Endless, r"\$defs.Endless: a model that contains itself"),
        (Open, r"\$.anything: an open dictionary"),
        (Untyped, r"\$.value: a value of any type"),
        (Pair, r"\$.pair: .*prefixItems"),
    ],
)
def test_what_the_vendor_cannot_take_is_refused_by_name(model: type[BaseModel], place: str):
    with pytest.raises(ValueError, match=place):
        strict_schema(model)

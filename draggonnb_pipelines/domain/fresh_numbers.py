"""A client's wish for fresh numbers, as it came, and when it is worked on.

Not here: the claims (`workflows/analytics/fresh_numbers.py`), and the measuring itself
(`workflows/analytics/collection.py`).
"""

from datetime import datetime, timedelta

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from draggonnb_pipelines.domain.strict_bodies import read_strictly

TOPIC = "analytics"
API_SOURCE = "api"
PAUSE = timedelta(hours=1)


class NumbersRequest(BaseModel):
    """There is nothing to choose: all that is public and recent is measured."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    delivery_id: str | None = Field(default=None, pattern=r"^[!-~]{1,200}$")


def read_numbers_request(body: JsonValue) -> NumbersRequest:
    """The request in a body; an empty object is a whole one.

    Raises:
        SubmissionRefused: names each wrong field.
    """
    return read_strictly(NumbersRequest, body)


def taken_up_at(last_taken_at: datetime | None, now: datetime) -> datetime:
    """When a request is worked on: at once, or an hour after the last one was."""
    return now if last_taken_at is None else max(now, last_taken_at + PAUSE)

"""What a request for content may say, and what a refusal tells the sender."""

import dataclasses
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from draggonnb_pipelines.domain.content_requests import (
    ContentSubmission,
    MediaWish,
    Schedule,
    read_recurring,
    read_request,
)
from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.publishing import Platform
from draggonnb_pipelines.domain.submissions import SubmissionRefused

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
KLOOF = Organization(
    id=UUID("7f3bd6a0-6bd5-4a6a-9d5e-1f60a9f8a001"),
    slug="kloof-coffee",
    name="Kloof Coffee",
    status="active",
    timezone="Africa/Johannesburg",
    locale="en-ZA",
    database_name=None,
    dsn_sealed=None,
    data_key_wrapped=None,
)


def read(**body: Any) -> ContentSubmission:
    return read_request({"brief": "Our new filter roast is here.", **body}, KLOOF, now=NOW)


def faults(body: Any, organization: Organization = KLOOF) -> dict[str, str]:
    with pytest.raises(SubmissionRefused) as refused:
        read_request(body, organization, now=NOW)
    return {fault.field: fault.detail for fault in refused.value.faults}


def test_a_brief_alone_is_enough_and_goes_into_the_next_free_slot() -> None:
    assert read_request({"brief": "  Our new roast.\r\nCome and taste.  "}, KLOOF, now=NOW) == ContentSubmission(
        source="api",
        brief="Our new roast.\nCome and taste.",
        platforms=(),
        template=None,
        media=(),
        schedule=Schedule(next_free_slot=True),
        requested_by=None,
    )


def test_every_field_is_read() -> None:
    submission = read(
        source="N8N",
        delivery_id=" job-7 ",
        platforms=["x", "Facebook", "x"],
        template="Announcement",
        media=[{"path": "2026/pie.jpg", "alt": "A pie"}, "2026/tart.png"],
        publish_at="2026-12-01T09:00",
        requested_by="Front@Kloof.example",
    )

    assert submission == ContentSubmission(
        source="n8n",
        delivery_id="job-7",
        brief="Our new filter roast is here.",
        platforms=(Platform.X, Platform.FACEBOOK),
        template="Announcement",
        media=(MediaWish(path="2026/pie.jpg", alt="A pie"), MediaWish(path="2026/tart.png")),
        schedule=Schedule(publish_at="2026-12-01T09:00"),
        requested_by="Front@Kloof.example",
    )


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"platforms": "facebook, ig"}, (Platform.FACEBOOK, Platform.INSTAGRAM)),
        ({"channels": ["Twitter"]}, (Platform.X,)),
        ({"Platform": "LinkedIn"}, (Platform.LINKEDIN,)),
        ({"platforms": []}, ()),
    ],
)
def test_platforms_are_understood_as_lists_and_as_forms_send_them(
    body: dict[str, Any], expected: tuple[Platform, ...]
) -> None:
    assert read(**body).platforms == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, Schedule(next_free_slot=True)),
        ({"next_free_slot": "yes"}, Schedule(next_free_slot=True)),
        ({"as_soon_as_approved": True}, Schedule(as_soon_as_approved=True)),
        ({"as_soon_as_approved": "0"}, Schedule(next_free_slot=True)),
        ({"publish_at": "2026-12-01T09:00+02:00"}, Schedule(publish_at="2026-12-01T09:00+02:00")),
        ({"scheduled_for": "2026-12-01 09:00"}, Schedule(publish_at="2026-12-01 09:00")),
    ],
)
def test_there_is_exactly_one_time(body: dict[str, Any], expected: Schedule) -> None:
    assert read(**body).schedule == expected


@pytest.mark.parametrize(
    ("length", "detail"),
    [
        (2, "must have at least 3 characters, has 2"),
        (3, None),
        (4000, None),
        (4001, "must have at most 4000 characters, has 4001"),
    ],
)
def test_the_brief_has_3_to_4000_characters(length: int, detail: str | None) -> None:
    body: Any = {"brief": "b" * length}

    if detail is None:
        assert len(read_request(body, KLOOF, now=NOW).brief) == length
    else:
        assert faults(body) == {"brief": detail}


@pytest.mark.parametrize(
    ("body", "field", "detail"),
    [
        ({"platforms": ["tiktok"]}, "platforms", "'tiktok' is none of the platforms: facebook, instagram, linkedin, x"),
        ({"platforms": [7]}, "platforms", "must be text"),
        ({"media": ["/pie.jpg"]}, "media[0]", "such as 2026/pie.jpg; addresses are not fetched"),
        ({"media": ["a.jpg", "https://10.0.0.1/x.jpg"]}, "media[1]", "addresses are not fetched"),
        ({"media": ["../other/x.jpg"]}, "media[0]", "addresses are not fetched"),
        ({"media": [{"alt": "A pie"}]}, "media[0]", "must have a path in the media storage"),
        ({"media": [{"path": "a.jpg", "url": "b"}]}, "media[0]", "has an unknown field 'url'; give path and alt"),
        ({"media": [f"{n}.jpg" for n in range(21)]}, "media", "has 21 files; at most 20"),
        ({"media": ["a.jpg", "a.jpg"]}, "media", "names a file twice"),
        ({"publish_at": "2026-11-23T09:00"}, "publish_at", "is 1 hour in the past; 5 minutes at most is taken as now"),
        ({"publish_at": "tomorrow"}, "publish_at", "'tomorrow' is not a time; write it as 2026-12-01T09:00"),
        ({"publish_at": "2026-12-01T09:00", "asap": True}, "publish_at", "contradicts as_soon_as_approved"),
        ({"next_free_slot": True, "asap": True}, "as_soon_as_approved", "contradicts next_free_slot"),
        ({"next_free_slot": "maybe"}, "next_free_slot", "must be true or false"),
        ({"requested_by": "nobody"}, "requested_by", "is not an e-mail address; send one such as"),
        ({"source": "recurring"}, "source", "and not 'recurring'"),
        ({"publih_at": "2026-12-01T09:00"}, "publih_at", "is not known here; the fields are brief, platforms,"),
        ({"topic": "Another brief"}, "topic", "says the same as brief; send one of them"),
        ({"template": "a\x00b"}, "template", "must not contain control characters"),
        ({"organization_id": "another"}, "organization_id", "is another organization than this address"),
    ],
)
def test_a_refusal_names_the_field_the_limit_and_the_value(body: dict[str, Any], field: str, detail: str) -> None:
    found = faults({"brief": "Our new roast."} | body)

    assert list(found) == [field]
    assert detail in found[field]


def test_all_faults_are_told_at_once() -> None:
    assert set(faults({"platforms": ["tiktok"], "publish_at": "soon", "media": ["/a"]})) == {
        "brief",
        "platforms",
        "media[0]",
        "publish_at",
    }


@pytest.mark.parametrize("body", [None, "text", [], [{"brief": "one"}, {"brief": "two"}], 7])
def test_only_one_object_is_a_request(body: Any) -> None:
    assert faults(body) == {"body": "must be one object with at least `brief`"}


def test_a_time_in_a_gap_of_the_clocks_is_refused_with_the_nearest_real_times() -> None:
    new_york = dataclasses.replace(KLOOF, timezone="America/New_York")

    found = faults({"brief": "Our new roast.", "publish_at": "2027-03-14T02:30"}, new_york)

    assert found == {
        "publish_at": "'2027-03-14 02:30' the clocks of America/New_York skip this time; "
        "the nearest real times are 2027-03-14 01:59 and 2027-03-14 03:00"
    }


def test_a_value_that_could_be_markup_is_not_repeated() -> None:
    found = faults({"brief": "Our new roast.", "platforms": ["<b>x</b>"], "<script>": 1})

    assert "<" not in "".join([*found, *found.values()])
    assert set(found) == {"platforms", "body"}


def test_an_occurrence_takes_its_time_from_the_recurrence_even_if_that_is_over() -> None:
    at = "2026-11-01 09:00 Africa/Johannesburg"

    submission = read_recurring({"brief": "The week's specials.", "platforms": ["x"]}, KLOOF, at)

    assert (submission.source, submission.schedule) == ("recurring", Schedule(publish_at=at))
    with pytest.raises(SubmissionRefused, match="must name no time: the recurrence gives it"):
        read_recurring({"brief": "The week's specials.", "asap": True}, KLOOF, at)

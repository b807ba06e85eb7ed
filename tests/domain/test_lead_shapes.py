"""Web forms, Meta lead ads and n8n all become the same `LeadSubmission`."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from draggonnb_pipelines.domain.lead_shapes import read_leads
from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.submissions import Consent, LeadSubmission, SubmissionRefused

AGENCY = Organization(UUID(int=1), "draggonnb", "DraggonnB", "active", "Africa/Johannesburg", "en-ZA", None, None, None)


def only(body: Any) -> LeadSubmission:
    (lead,) = read_leads(body, AGENCY)
    return lead.submission


def faults(body: Any) -> list[str]:
    with pytest.raises(SubmissionRefused) as refused:
        read_leads(body, AGENCY)
    return [fault.field for fault in refused.value.faults]


def test_a_web_form_is_read_and_normalised() -> None:
    lead = only(
        {
            "First-Name": " Front ",
            "last_name": "Desk",
            "Email": "Info@Kloof.example",
            "phone": "082 123 4567",
            "company_name": "Kloof  Coffee",
            "url": "kloof.example",
            "message": "One\r\ntwo",
            "consent": "on",
            "consent_text": "You may call me.",
            "newsletter": "no",
            "source": "Contact Form – Autumn",
            "utm_source": "spring",
            "g-recaptcha-response": "long",
            "csrf_token": "secret",
        }
    )

    assert lead == LeadSubmission(
        source="contact_form_autumn",
        shape="web_form",
        name="Front Desk",
        email="Info@Kloof.example",
        email_key="info@kloof.example",
        phone="082 123 4567",
        phone_e164="+27821234567",
        company="Kloof Coffee",
        website="kloof.example",
        message="One\ntwo",
        consents=(
            Consent(purpose="contact", granted=True, wording="You may call me."),
            Consent(purpose="marketing", granted=False),
        ),
        qualification_data={"utm_source": "spring"},
    )


def test_what_is_sealed_is_read_back_the_same() -> None:
    lead = only({"email": "a@b.example", "budget": {"min": 1, "max": [2, None]}})

    assert LeadSubmission.model_validate_json(lead.model_dump_json()) == lead


def test_a_meta_lead_keeps_its_id_time_answers_and_ad() -> None:
    lead = only(
        {
            "id": "998",
            "created_time": "2026-11-23T07:00:00+0200",
            "form_id": "5",
            "platform": "ig",
            "field_data": [
                {"name": "full_name", "values": ["Front Desk"]},
                {"name": "phone_number", "values": ["+27 82 123 4567"]},
                {"name": "interests", "values": ["roasts", "courses"]},
            ],
            "custom_disclaimer_responses": [{"checkbox_key": "marketing_mails", "is_checked": "1"}],
        }
    )

    assert (lead.source, lead.shape, lead.delivery_id) == ("meta_lead_ads", "meta_lead_ads", "998")
    assert lead.submitted_at == datetime(2026, 11, 23, 5, 0, tzinfo=UTC)
    assert lead.consents == (Consent(purpose="marketing", granted=True, wording="marketing_mails"),)
    assert lead.qualification_data == {
        "meta": {"form_id": "5", "platform": "ig"},
        "interests": ["roasts", "courses"],
    }


def test_a_machines_unusable_value_is_set_aside_when_the_person_can_still_be_reached() -> None:
    lead = only({"source": "n8n", "lead": {"email": "a@b.example", "phone": "call me", "website": "my site"}})

    assert (lead.email_key, lead.phone_e164, lead.website) == ("a@b.example", None, None)
    assert lead.qualification_data == {"unusable": {"phone": "call me", "website": "my site"}}


def test_a_machines_lead_that_nobody_can_reach_is_refused_with_the_reasons() -> None:
    assert faults({"lead": {"email": "nope", "phone": "call me"}}) == ["lead.email", "lead.phone", "lead.email"]


def test_a_forms_unusable_value_is_refused_since_the_visitor_can_correct_it() -> None:
    assert faults({"email": "a@b.example", "phone": "call me"}) == ["phone"]


@pytest.mark.parametrize("odd", ["\0", "\ud800", "\x1b"])
def test_a_field_whose_name_cannot_be_stored_is_refused_in_every_shape(odd: str) -> None:
    reachable = {"email": "a@b.co.za"}
    unusable = {f"website{odd}": "not a url !"}
    field_data = [{"name": "email", "values": ["a@b.co.za"]}, {"name": f"website{odd}", "values": ["not a url !"]}]

    assert faults({"lead": reachable | unusable}) == ["lead.website"]
    assert faults(reachable | unusable) == ["website"]
    assert faults({"field_data": field_data}) == ["website"]
    assert faults({"lead": reachable | {f"consent{odd}": "perhaps"}}) == ["lead.consent"]
    assert faults({"lead": reachable | {f"Budget {odd}": "1"}}) == ["lead.budget"]
    assert faults({"lead": reachable | {odd: "1"}}) == ["lead.body"]


@pytest.mark.parametrize("key", ["\ud800", "\0", "marketing\x1b"])
def test_a_tick_box_whose_words_cannot_be_stored_is_refused_since_consent_is_never_altered(key: str) -> None:
    boxes = [{"checkbox_key": "call_me", "is_checked": "1"}, {"checkbox_key": key, "is_checked": "1"}]
    lead = {"field_data": [{"name": "email", "values": ["a@b.co.za"]}], "custom_disclaimer_responses": boxes}

    assert faults(lead) == ["custom_disclaimer_responses[1].checkbox_key"]
    assert faults({"entry": [{"changes": [{"value": lead}]}]}) == [
        "entry[0].changes[0].value.custom_disclaimer_responses[1].checkbox_key"
    ]


def test_n8n_may_send_numbers_a_list_and_its_own_organization() -> None:
    leads = read_leads(
        {"organization_id": str(AGENCY.id), "source": "Sheet", "leads": [{"phone": 27821234567}, {"email": "a@b.co"}]},
        AGENCY,
    )

    assert [(lead.submission.source, lead.submission.phone_e164) for lead in leads] == [
        ("sheet", "+27821234567"),
        ("sheet", None),
    ]
    assert [lead.item for lead in leads] == [{"phone": 27821234567}, {"email": "a@b.co"}]


def test_another_organizations_id_is_refused_at_any_level() -> None:
    other = str(UUID(int=2))

    assert faults({"organization_id": other, "lead": {"email": "a@b.example"}}) == ["organization_id"]
    assert faults({"lead": {"organization_id": other, "email": "a@b.example"}}) == ["lead.organization_id"]


@pytest.mark.parametrize(
    ("given", "moment"),
    [
        (1795410000, datetime(2026, 11, 23, 5, 0, tzinfo=UTC)),
        ("1795410000000", datetime(2026, 11, 23, 5, 0, tzinfo=UTC)),
        ("2026-11-23T05:00:00", datetime(2026, 11, 23, 5, 0, tzinfo=UTC)),
        ("yesterday", None),
        (1e300, None),
        (-1, None),
    ],
)
def test_the_time_of_a_lead_is_read_or_left_alone(given: Any, moment: datetime | None) -> None:
    lead = only({"email": "a@b.example", "timestamp": given})

    assert lead.submitted_at == moment
    assert ("timestamp" in lead.qualification_data) == (moment is None)


def test_wrappers_within_wrappers_end() -> None:
    body: Any = {"email": "a@b.example"}
    for _ in range(10):
        body = {"lead": body}

    assert faults(body) == ["lead.lead.lead.lead.lead"]

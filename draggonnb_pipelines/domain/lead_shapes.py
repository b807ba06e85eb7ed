"""From what web forms, Meta lead ads and n8n send to `LeadSubmission`.

Lives here: recognising the sender's shape, and finding each lead in it.
Not here: which of a lead's fields is which (`lead_fields.py`), how the bytes became JSON (`api/bodies.py`).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from pydantic import JsonValue

from draggonnb_pipelines.domain.contact_details import has_forbidden_characters
from draggonnb_pipelines.domain.lead_fields import FoundLead, LeadReader
from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.submissions import (
    Consent,
    ConsentPurpose,
    Fault,
    LeadSubmission,
    Shape,
    SubmissionRefused,
)

MAX_LEADS = 100

_META_FACTS = ("ad_id", "ad_name", "adset_id", "adset_name", "adgroup_id", "campaign_id", "campaign_name", "form_id")
_META_FACTS += ("page_id", "platform", "is_organic", "partner_name")


@dataclass(frozen=True, slots=True)
class ReadLead:
    """A lead, and the part of the request that it was read from."""

    submission: LeadSubmission
    item: JsonValue


def read_leads(body: JsonValue, organization: Organization) -> list[ReadLead]:
    """Return the 1 to 100 leads of one request, in order.

    Shapes: a flat object (web form); Meta's lead object with `field_data`, or its webhook envelope; n8n's
    `{source, lead: {...}}`, `{source, leads: [...]}`, or a list of any of these.

    Raises:
        SubmissionRefused: names each wrong field. All or nothing, since a sender repeats the request as a whole.
    """
    faults: list[Fault] = []
    found = list(_found(body, "", faults, organization, depth=0))
    if not found and not faults:
        faults.append(Fault(field="body", detail="holds no lead; send an object with at least email or phone"))
    if len(found) > MAX_LEADS:
        raise SubmissionRefused([Fault(field="body", detail=f"holds {len(found)} leads; send at most {MAX_LEADS}")])
    read = [(item, LeadReader(item, organization.locale, faults).read()) for item in found]
    if faults:
        raise SubmissionRefused(faults)
    return [ReadLead(lead, item.item) for item, lead in read if lead is not None]


def _found(
    body: JsonValue, path: str, faults: list[Fault], organization: Organization, depth: int, outer: Shape = "web_form"
) -> Iterator[FoundLead]:
    """Yield every lead under `body`; `depth` ends the descent through wrappers of wrappers."""
    if isinstance(body, list):
        for i, item in enumerate(body):
            yield from _found(item, f"{path}[{i}]", faults, organization, depth + 1, "n8n")
        return
    if not isinstance(body, dict) or depth > 4:
        faults.append(Fault(field=path or "body", detail="must be an object with the lead's fields"))
        return
    _check_organization(body, path, faults, organization)
    dot = f"{path}." if path else ""
    if isinstance(entries := body.get("entry"), list):
        yield from _in_meta_envelope(entries, f"{dot}entry", faults)
    elif "field_data" in body or "leadgen_id" in body:
        yield from _meta_lead(body, path, faults)
    elif isinstance(inner := body.get("lead", body.get("leads")), dict | list):
        name = f"{dot}{'lead' if 'lead' in body else 'leads'}"
        shared = {key: body[key] for key in ("source", "delivery_id") if key in body}
        many = isinstance(inner, list) and len(inner) != 1
        if many:
            shared.pop("delivery_id", None)
        for item in _found(inner, name, faults, organization, depth + 1, "n8n"):
            yield _with_shared(item, shared)
    else:
        yield FoundLead(path, outer, body, body, body.get("source"), body.get("delivery_id"))


def _with_shared(item: FoundLead, shared: dict[str, JsonValue]) -> FoundLead:
    source = item.source if item.source and item.shape != "meta_lead_ads" else shared.get("source") or item.source
    return replace(item, source=source, delivery_id=item.delivery_id or shared.get("delivery_id"))


def _check_organization(
    body: Mapping[str, JsonValue], path: str, faults: list[Fault], organization: Organization
) -> None:
    claimed = body.get("organization_id")
    if claimed not in (None, "") and str(claimed).lower() not in (str(organization.id), organization.slug):
        name = f"{path}.organization_id" if path else "organization_id"
        detail = "is another organization than this address; send it to that organization's own webhook"
        faults.append(Fault(field=name, detail=detail))


def _in_meta_envelope(entries: list[JsonValue], path: str, faults: list[Fault]) -> Iterator[FoundLead]:
    for i, entry in enumerate(entries):
        changes = entry.get("changes") if isinstance(entry, dict) else None
        for j, change in enumerate(changes if isinstance(changes, list) else []):
            value = change.get("value") if isinstance(change, dict) else None
            if isinstance(value, dict) and ("leadgen_id" in value or "field_data" in value):
                yield from _meta_lead(value, f"{path}[{i}].changes[{j}].value", faults)


def _meta_lead(lead: Mapping[str, JsonValue], path: str, faults: list[Fault]) -> Iterator[FoundLead]:
    """Meta's `field_data` is a list of `{name, values}`. Its bare webhook has only ids: the answers need a call."""
    name = f"{path}.field_data" if path else "field_data"
    answers = lead.get("field_data")
    if not isinstance(answers, list):
        faults.append(Fault(field=name, detail="is missing; send the lead object with its answers, not only its id"))
        return
    fields: dict[str, JsonValue] = {}
    for i, answer in enumerate(answers):
        key = answer.get("name") if isinstance(answer, dict) else None
        values = answer.get("values") if isinstance(answer, dict) else None
        if not isinstance(key, str) or not isinstance(values, list):
            faults.append(Fault(field=f"{name}[{i}]", detail="must have a name and a list of values"))
            return
        fields[key] = values[0] if len(values) == 1 else values
    if "created_time" in lead:
        fields.setdefault("created_time", lead["created_time"])
    facts: dict[str, JsonValue] = {key: lead[key] for key in _META_FACTS if lead.get(key) not in (None, "")}
    key = lead.get("leadgen_id") or lead.get("id")
    consents = tuple(_disclaimers(lead.get("custom_disclaimer_responses"), path, faults))
    source = lead.get("source") or "meta_lead_ads"
    yield FoundLead(path, "meta_lead_ads", dict(lead), fields, source, key, {"meta": facts} if facts else {}, consents)


def _disclaimers(responses: JsonValue, path: str, faults: list[Fault]) -> Iterator[Consent]:
    """The tick boxes under a lead ad; Meta sends their keys, not their words. A consent is never altered."""
    name = f"{path}.custom_disclaimer_responses" if path else "custom_disclaimer_responses"
    for i, response in enumerate(responses if isinstance(responses, list) else []):
        if isinstance(response, dict) and isinstance(key := response.get("checkbox_key"), str):
            if has_forbidden_characters(key):
                faults.append(Fault(field=f"{name}[{i}].checkbox_key", detail="must not contain control characters"))
                continue
            purpose: ConsentPurpose = "marketing" if "market" in key.lower() else "contact"
            yield Consent(purpose=purpose, granted=response.get("is_checked") in ("1", 1, True), wording=key[:2000])

"""The ledger of consents: added to, never changed, and heeded by the next message."""

import pytest

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.errors import OperatorError
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.leads.leads import capture_leads
from draggonnb_pipelines.workflows.operations.consents import Said, consents_of, record_consent
from tests.workflows.lead_work import count, tenant_rows
from tests.workflows.operations.person_work import PERSON, contact_id, person, with_leads


@pytest.fixture
async def met(stack: Stack, agency: Organization) -> Stack:
    await with_leads(stack, agency, steps=(capture_leads,))
    return stack


async def test_a_record_is_added_once_and_the_newest_counts(met: Stack, agency: Organization, outsider: Organization):
    async def say(said: Said, wording: str) -> bool:
        return await record_consent(met, agency, PERSON, "marketing", said, wording=wording, by="test")

    first = await say("granted", "Yes, by letter.")
    same = await say("granted", "Yes, by letter.")
    other_words = await say("granted", "Yes, and by phone.")
    ended = await say("withdrawn", "No more.")
    ended_twice = await say("withdrawn", "I said no.")

    assert (first, same, other_words, ended, ended_twice) == (True, False, True, True, False)
    ledger = [(row["purpose"], row["granted"], row["wording"]) for row in await consents_of(met, agency, PERSON)]
    assert ledger == [
        ("contact", True, "You may contact me about this."),
        ("marketing", True, "Yes, by letter."),
        ("marketing", True, "Yes, and by phone."),
        ("marketing", False, "No more."),
    ]
    audits = await tenant_rows(met, agency, "select action from audit_log where action like 'consent.%%' order by id")
    assert [row["action"] for row in audits][-3:] == ["consent.granted", "consent.granted", "consent.withdrawn"]
    others = await tenant_rows(
        met, agency, "select id from consents where contact_id <> %s and purpose = 'marketing'",
        await contact_id(met, agency),
    )  # fmt: skip
    assert others == []
    assert await count(met, outsider, "consents") == {"consents": 0}


async def test_no_words_and_no_contact_are_refused(met: Stack, agency: Organization):
    with pytest.raises(OperatorError, match="proves nothing"):
        await record_consent(met, agency, PERSON, "marketing", "granted", wording=" ", by="test")
    with pytest.raises(OperatorError, match="no contact of this address"):
        await record_consent(met, agency, person("x@y.example"), "marketing", "granted", wording="Yes", by="test")
    with pytest.raises(OperatorError, match="no contact of this address"):
        await consents_of(met, agency, person("x@y.example"))

    assert await count(met, agency, "consents") == {"consents": 2}

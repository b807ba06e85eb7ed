"""The doctor's look at the networks and the media storage: their credentials, their versions, and nothing published."""

from datetime import date, timedelta

import pytest

from draggonnb_pipelines.cli import network_probes
from draggonnb_pipelines.cli.findings import Verdict
from draggonnb_pipelines.domain.publishing import Platform
from draggonnb_pipelines.settings import Settings
from tests.sandbox_process import Sandbox

TODAY = date(2026, 11, 23)


def settings_of(sandbox: Sandbox, **values: object) -> Settings:
    return Settings(_env_file=None, sandbox_port=sandbox.port, **values)  # pyright: ignore


async def test_what_answers_is_ok_and_nothing_became_public(sandbox: Sandbox):
    settings = settings_of(sandbox)

    findings = [
        await network_probes.meta(settings, today=TODAY),
        network_probes.linkedin(settings, today=TODAY),
        network_probes.x(settings),
        await network_probes.storage(settings),
    ]

    assert [(finding.check, finding.verdict, finding.what) for finding in findings] == [
        ("Meta (SANDBOX)", Verdict.OK, "the app's token is taken, Graph v25.0, ends on 2028-07-29"),
        ("LinkedIn (SANDBOX)", Verdict.OK, "the version 202607, ends on 2027-07-15"),
        ("X (SANDBOX)", Verdict.OK, "the sandbox's credentials"),
        ("media storage (SANDBOX)", Verdict.OK, "it answers and takes the key"),
    ]
    assert [sandbox.public(platform) for platform in Platform] == [[], [], [], []]
    assert sorted({entry["vendor"] for entry in sandbox.journal()}) == ["facebook", "storage"]


async def test_an_app_that_meta_refuses_is_a_fault(sandbox: Sandbox):
    sandbox.faults("GET /graph/{version}/debug_token", {"kind": "status", "status": 401})

    finding = await network_probes.meta(settings_of(sandbox), today=TODAY)

    assert finding.verdict is Verdict.FAULT
    assert finding.what == "facebook: config: the app's id or secret is refused"
    assert finding.remedy != ""


async def test_a_key_that_the_storage_refuses_is_a_fault(sandbox: Sandbox):
    base = f"{sandbox.url}/supabase/storage/v1"

    finding = await network_probes.storage(settings_of(sandbox, storage_key="bad", storage_base_url=base))

    assert (finding.check, finding.verdict) == ("media storage", Verdict.FAULT)
    assert finding.remedy == "check DRAGGONNB_STORAGE_BASE_URL and DRAGGONNB_STORAGE_KEY"


async def test_a_server_that_is_no_storage_is_not_taken_for_one(sandbox: Sandbox):
    settings = settings_of(sandbox, storage_key="good", storage_base_url=f"{sandbox.url}/elsewhere")

    finding = await network_probes.storage(settings)

    assert finding.verdict is Verdict.FAULT


async def test_a_vendor_that_is_away_is_a_fault_with_a_remedy(sandbox: Sandbox):
    settings = Settings(_env_file=None, sandbox_port=1)  # pyright: ignore[reportCallIssue]

    meta, storage = await network_probes.meta(settings, today=TODAY), await network_probes.storage(settings)

    assert (meta.verdict, storage.verdict) == (Verdict.FAULT, Verdict.FAULT)
    assert meta.remedy == storage.remedy == "the sandbox does not answer: `draggonnb up` starts it"


@pytest.mark.parametrize(
    ("days_left", "verdict"), [(60, Verdict.OK), (59, Verdict.NOTE), (1, Verdict.NOTE), (0, Verdict.FAULT)]
)
def test_a_version_is_noted_for_sixty_days_and_then_a_fault(days_left: int, verdict: Verdict):
    end = TODAY + timedelta(days=days_left)

    assert network_probes.version_finding("Meta", "Graph v1.0", end, TODAY, "choose").verdict is verdict


def test_a_linkedin_version_that_nobody_knows_is_a_fault(sandbox: Sandbox):
    finding = network_probes.linkedin(settings_of(sandbox, linkedin_version="202512"), today=TODAY)

    assert finding.verdict is Verdict.FAULT
    assert finding.what == "the version 202512 is none that we know; LinkedIn answers 426 to a wrong one"
    assert finding.remedy == "set DRAGGONNB_LINKEDIN_VERSION to 202610"

"""The doctor's look at PayFast and the vendors of clients' stacks: credentials and rights, and nothing made."""

from collections.abc import Awaitable, Callable

import pytest

from draggonnb_pipelines.cli import stack_probes
from draggonnb_pipelines.cli.findings import Finding, Verdict
from draggonnb_pipelines.settings import Settings
from tests.sandbox_process import Sandbox

PROBES = (stack_probes.payfast, stack_probes.supabase, stack_probes.github, stack_probes.vercel, stack_probes.n8n)
Probe = Callable[[Settings], Awaitable[Finding]]


def settings_of(sandbox: Sandbox) -> Settings:
    return Settings(_env_file=None, sandbox_port=sandbox.port)  # pyright: ignore[reportCallIssue]


async def test_what_takes_our_credentials_is_ok_and_nothing_is_made(sandbox: Sandbox):
    findings = [await probe(settings_of(sandbox)) for probe in PROBES]

    assert [(finding.check, finding.verdict, finding.what) for finding in findings] == [
        ("PayFast (SANDBOX)", Verdict.OK, "it takes the credentials"),
        ("Supabase (SANDBOX)", Verdict.OK, "organization sandbox-org, projects in eu-west-1"),
        ("GitHub (SANDBOX)", Verdict.OK, "owner draggonnb, template draggonnb/client-template"),
        ("Vercel (SANDBOX)", Verdict.OK, "it shows the team's projects"),
        ("n8n (SANDBOX)", Verdict.OK, "the key has every scope"),
    ]
    assert {entry["method"] for entry in sandbox.journal()} == {"GET"}


@pytest.mark.parametrize(
    ("probe", "route", "words"),
    [
        (stack_probes.payfast, "GET /payfast/api/ping", "payfast: config"),
        (stack_probes.supabase, "GET /supabase/v1/organizations", "supabase.com/dashboard/account/tokens"),
        (stack_probes.github, "GET /github/orgs/{owner}/repos", "github.com/settings/personal-access-tokens"),
        (stack_probes.vercel, "GET /vercel/v10/projects", "vercel.com/account/settings/tokens"),
        (stack_probes.n8n, "GET /n8n/api/v1/discover", "/settings/api"),
    ],
)
async def test_who_refuses_us_is_a_fault_that_names_the_page(sandbox: Sandbox, probe: Probe, route: str, words: str):
    sandbox.faults(route, {"kind": "status", "status": 401}, repeat=True)

    finding = await probe(settings_of(sandbox))

    assert finding.verdict is Verdict.FAULT
    assert words in finding.what
    assert finding.remedy != ""


async def test_a_vendor_that_is_away_is_a_fault_with_a_remedy():
    settings = Settings(_env_file=None, sandbox_port=1)  # pyright: ignore[reportCallIssue]

    for probe in PROBES:
        finding = await probe(settings)
        assert finding.verdict is Verdict.FAULT
        assert finding.remedy == "the sandbox does not answer: `draggonnb up` starts it"

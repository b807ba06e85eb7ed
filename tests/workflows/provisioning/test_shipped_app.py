"""What provisioning ships: `client_template/` as Git would commit it, and one commit with the configuration."""

import json
from collections.abc import Iterator

import pytest

from draggonnb_pipelines.domain.client_config import CONFIG_PATH, client_config
from draggonnb_pipelines.workflows.provisioning.github_repo import github_repo
from scripts.sync_client_template import ROOT
from tests.sandbox_process import Sandbox, sandbox_process
from tests.workflows.app_desk import AppDesk, done
from vendor_sandbox.github_repos import as_text
from vendor_sandbox.github_template import files_of

TEMPLATE = ROOT / "client_template"
PAGES = ("dashboard", "generate", "calendar", "approvals", "analytics", "accounts", "settings")
# What is made of the folder, never what it is made of.
LEFT_BEHIND = ("node_modules/", ".next/", "tsconfig.tsbuildinfo", ".env.local")


@pytest.fixture(scope="module")
def sandbox_server() -> Iterator[Sandbox]:
    with sandbox_process(github_template=TEMPLATE) as running:
        yield running


async def test_a_clients_repository_is_the_folder_and_one_commit_with_its_configuration(
    app_desk: AppDesk, sandbox: Sandbox
):
    await done(app_desk, github_repo)

    [repo] = [repo for repo in sandbox.public("github") if repo["full_name"] == "draggonnb/draggonnb-outsider"]
    folder = {path: as_text(content) for path, content in files_of(TEMPLATE).items()}
    assert repo["files"] == folder | {CONFIG_PATH: as_text(client_config(app_desk.client.organization).encode())}
    assert repo["commits"] == ["Initial commit", "Configure outsider"]
    assert json.loads(repo["files"][CONFIG_PATH])["slug"] == "outsider" != json.loads(folder[CONFIG_PATH])["slug"]


def test_what_is_built_of_the_folder_is_not_shipped_and_what_the_architecture_names_is():
    shipped = files_of(TEMPLATE)

    assert [path for path in shipped if path.startswith(LEFT_BEHIND)] == []
    assert {
        ".env.example",
        ".github/workflows/deploy.yml",
        "CUSTOMIZATION.md",
        "README.md",
        "app/(auth)/login/page.tsx",
        "app/(auth)/register/page.tsx",
        *(f"app/(dashboard)/{name}/page.tsx" for name in PAGES),
        *(f"app/api/{name}/route.ts" for name in ("approve-post", "generate-content", "health", "usage-metrics")),
        "scripts/provision-client.sh",
        "scripts/setup-env.sh",
        "supabase/seed.sql",
    } <= shipped.keys()

"""Everything that is held of a person comes out as one file, with digests, without secrets and without other people."""

import hashlib
import json
import stat
import zipfile
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.operations.person_export import Exported, export_person
from tests.workflows.lead_work import master_rows
from tests.workflows.operations.person_work import (
    EMAIL,
    NAME,
    OTHER_EMAIL,
    PERSON,
    everything,
    opened_inbox,
    person,
    with_business,
    with_leads,
    with_master_rows,
)


@pytest.fixture
async def known(stack: Stack, agency: Organization, tmp_path: Path) -> AsyncIterator[Stack]:
    await with_leads(stack, agency)
    await with_business(stack, agency)
    await with_master_rows(stack, agency)
    before = stack.settings.state_dir
    stack.settings.state_dir = tmp_path
    yield stack
    stack.settings.state_dir = before
    await master_rows(stack, "delete from checkouts")


def contents(exported: Exported) -> dict[str, Any]:
    with zipfile.ZipFile(exported.path) as bundle:
        assert bundle.testzip() is None
        return {name: json.loads(bundle.read(name)) for name in bundle.namelist()}


async def test_one_file_holds_every_place_and_nobody_else(known: Stack, agency: Organization, outsider: Organization):
    before = await everything(known, agency)

    exported = await export_person(known, [agency, outsider], PERSON)

    files = contents(exported)
    manifest = files.pop("manifest.json")
    wanted = ("contacts", "leads", "enquiries", "consents", "deals", "activities", "custom_fields", "evidence",
              "company_profiles", "prompts_and_answers", "analyses", "proposals", "messages_to_the_person",
              "messages_about_the_person", "alerts", "refused_addresses", "review_links", "checkouts",
              "inbox")  # fmt: skip
    assert {f"draggonnb/{name}.json" for name in wanted} <= set(files)
    assert [name for name in files if not name.startswith("draggonnb/")] == []
    assert [row["name"] for row in files["draggonnb/contacts.json"]] == [NAME]
    assert [row["raw"]["email"] for row in files["draggonnb/inbox.json"]] == [EMAIL]
    assert len(files["draggonnb/prompts_and_answers.json"]) == 3
    texts = json.dumps(files)
    for hidden in (OTHER_EMAIL, "token_sha256", "sales@draggonnb.example", "_sealed"):
        assert hidden not in texts, hidden
    assert {one["file"]: one["rows"] for one in manifest["files"]} == {name: len(rows) for name, rows in files.items()}
    assert await everything(known, agency) == before
    assert await opened_inbox(known, agency) == [("form-1", "done", True), ("form-2", "done", True)]


async def test_the_digests_are_those_of_the_files_and_only_we_may_read_it(known: Stack, agency: Organization):
    exported = await export_person(known, [agency], PERSON)

    assert hashlib.sha256(exported.path.read_bytes()).hexdigest() == exported.sha256
    with zipfile.ZipFile(exported.path) as bundle:
        digests = {one["file"]: hashlib.sha256(bundle.read(one["file"])).hexdigest() for one in exported.files}
    assert digests == {one["file"]: one["sha256"] for one in exported.files}
    assert stat.S_IMODE(exported.path.stat().st_mode) == 0o600
    assert [path.name for path in exported.path.parent.iterdir()] == [exported.path.name]


async def test_of_a_stranger_there_is_a_file_without_rows(known: Stack, agency: Organization):
    exported = await export_person(known, [agency], person("nobody@nowhere.example"))

    assert set(contents(exported)) == {"manifest.json"}


async def test_a_client_whose_database_is_away_is_named_in_the_file(
    known: Stack, agency: Organization, outsider: Organization
):
    away = replace(outsider, database_name="no_such_database")

    exported = await export_person(known, [agency, away], PERSON)

    assert set(exported.missing) == {"outsider"}
    manifest = contents(exported)["manifest.json"]
    assert manifest["missing"] == exported.missing
    assert any(one["file"] == "draggonnb/contacts.json" for one in manifest["files"])

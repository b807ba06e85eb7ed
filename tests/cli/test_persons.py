"""`draggonnb person`: found, exported, forgotten, and what they agreed to."""

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from draggonnb_pipelines.cli import app
from tests.cli.conftest import Cli
from tests.cli.test_publishing import WIDE, cells, tenant_rows

MakeTenant = Callable[[str], str]
EMAIL = "info@walmer-dental.example"


def add_contact(cli: Cli, slug: str) -> None:
    query = "insert into contacts (name, email, email_normalized, phone_e164) values ('Walmer', %s, %s, '+27841112222')"
    tenant_rows(cli, slug, query + " returning id", EMAIL, EMAIL)


def test_a_person_is_found_exported_and_forgotten_in_one_organization(cli: Cli, tenant: MakeTenant):
    for slug in ("person-shop", "other-persons"):
        tenant(slug)
        add_contact(cli, slug)

    found = cli.ok("person", "find", "084 111 2222", **WIDE)
    exported = cli.ok("person", "export", EMAIL, "--organization", "person-shop")
    erased = cli.ok("person", "erase", EMAIL, "--organization", "person-shop", "--yes")
    again = cli.ok("person", "erase", EMAIL, "--organization", "person-shop", "--yes")
    left = cli.ok("person", "find", EMAIL, **WIDE)

    assert cells(found) == [[slug, "contacts", "1", "empties it"] for slug in ("other-persons", "person-shop")]
    assert found.splitlines()[-1] == f"known by: +27841112222, {EMAIL}"
    [file] = [line.removeprefix("file     ") for line in exported.splitlines() if line.startswith("file  ")]
    assert Path(file).is_file()
    assert "| contacts | 1 |" in erased
    assert again == erased
    assert cells(left) == [["other-persons", "contacts", "1", "empties it"]]
    folder = Path(file).parent
    certificates = sorted(path.suffix for path in folder.iterdir() if path != Path(file))
    assert certificates == [".json", ".md"]
    actions = [
        row["action"] for row in cli.rows("select action from audit_log where action like 'person.%%' order by id")
    ]
    assert actions == ["person.exported", "person.erased"]


def test_a_ledger_of_consents_is_shown_and_added_to(cli: Cli, tenant: MakeTenant):
    tenant("consent-shop")
    add_contact(cli, "consent-shop")
    where = (EMAIL, "--organization", "consent-shop")

    empty = cli.ok("person", "consent", *where)
    recorded = cli.ok("person", "consent", *where, "--record", "granted", "--wording", "Yes, by letter.")
    shown = cli.ok("person", "consent", *where, **WIDE)

    assert empty == "nothing was agreed to and nothing withdrawn\n"
    assert recorded == "marketing: granted\n"
    assert [row[1:] for row in cells(shown)] == [["marketing", "granted", "operator", "Yes, by letter."]]


def test_what_cannot_be_done_is_said_in_two_lines_and_nothing_happens(cli: Cli, tenant: MakeTenant):
    tenant("wrong-shop")
    add_contact(cli, "wrong-shop")

    nobody = cli("person", "find", "not-an-address")
    nowhere = cli("person", "erase", EMAIL, "--organization", "no-such-shop", "--yes")
    owner = cli("person", "erase", "sales@wrong-shop.example", "--organization", "wrong-shop", "--yes")
    owner_everywhere = cli("person", "erase", "sales@wrong-shop.example", "--yes")
    wordless = cli("person", "consent", EMAIL, "--organization", "wrong-shop", "--record", "granted")

    assert [one.code for one in (nobody, nowhere, owner, owner_everywhere, wordless)] == [1] * 5
    assert nobody.err.startswith("error: what was typed is neither an e-mail address nor a phone number")
    assert nowhere.err.startswith("error: no organization 'no-such-shop' whose data can be read")
    assert owner.err.startswith("error: the person is the only owner of wrong-shop")
    assert owner_everywhere.err.startswith("error: 1 organizations are left: wrong-shop: the person is the only owner")
    assert wordless.err.startswith("error: a consent without its words proves nothing")
    assert [
        row["n"] for row in tenant_rows(cli, "wrong-shop", "select count(*) as n from contacts where email > ''")
    ] == [1]
    assert cli.rows("select id from person_erasures") == []


def test_the_address_is_typed_twice_before_anything_is_erased(
    cli: Cli, tenant: MakeTenant, monkeypatch: pytest.MonkeyPatch
):
    tenant("typing-shop")
    add_contact(cli, "typing-shop")
    for name, value in cli.environment.items():
        monkeypatch.setenv(name, value)

    refused = CliRunner().invoke(app, ["person", "erase", EMAIL], input="info@other.example\n")

    assert refused.exit_code == 1
    assert [row["email"] for row in tenant_rows(cli, "typing-shop", "select email from contacts")] == [EMAIL]

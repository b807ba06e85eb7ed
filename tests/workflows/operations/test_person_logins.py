"""Who is forgotten can sign in no more: their login is deleted in the client's own Supabase Auth, and nobody else's."""

from typing import Any
from uuid import UUID, uuid4

import pytest

from draggonnb_pipelines.domain.persons import identity_of
from draggonnb_pipelines.errors import OperatorError
from draggonnb_pipelines.workflows.operations.person_erasure import erase_person
from draggonnb_pipelines.workflows.operations.retention import keep_retention
from tests.sandbox_process import Sandbox
from tests.workflows.client_desk import Desk
from tests.workflows.lead_work import master_rows, tenant_rows

EDITOR, OTHER = "pieter@kloof-coffee.example", "zanele@kloof-coffee.example"
PIETER = identity_of(EDITOR)
pytestmark = pytest.mark.usefixtures("supabase_sandbox")


async def sign_up(desk: Desk, ref: str, email: str, *, is_linked: bool = True) -> UUID:
    """Somebody of the client with a login; one who was invited and never came is not linked to it."""
    auth = await _auth(desk, ref)
    login = UUID((await auth.create_user(uuid4(), email)).id)
    await tenant_rows(
        desk.stack,
        desk.client.organization,
        "insert into users (email, role, auth_user_id) values (%s, 'editor', %s)",
        email,
        login if is_linked else None,
    )
    return login


async def _auth(desk: Desk, ref: str) -> Any:
    [key] = [row for row in await desk.ledger.resources() if row.step == "api_keys"]
    return desk.stack.supabase_auth(ref, key.secrets["value"])


async def forget(desk: Desk) -> dict[str, Any]:
    certificate = await erase_person(desk.stack, desk.client.organization, PIETER, by="test")
    assert certificate is not None
    return certificate


@pytest.mark.parametrize("is_linked", [True, False])
async def test_the_login_goes_with_the_person_and_the_others_stay(desk: Desk, sandbox: Sandbox, is_linked: bool):
    ref = await desk.with_project(sandbox)
    login = await sign_up(desk, ref, EDITOR, is_linked=is_linked)
    other = await sign_up(desk, ref, OTHER)

    certificate = await forget(desk)

    auth = await _auth(desk, ref)
    assert await auth.get_user(login) is None
    assert (await auth.get_user(other)).email == OTHER
    assert {"what": "logins", "rows": 1} in certificate["erased"]
    assert "Supabase Auth" not in {one["where"] for one in certificate["elsewhere"]}


async def test_without_a_project_of_ours_the_certificate_says_where_the_login_is(desk: Desk):
    organization = desk.client.organization
    await tenant_rows(
        desk.stack, organization, "insert into users (email, role, auth_user_id) values (%s, 'editor', %s)",
        EDITOR, uuid4(),
    )  # fmt: skip

    certificate = await forget(desk)

    assert "logins" not in {one["what"] for one in certificate["erased"]}
    assert "Supabase Auth" in {one["where"] for one in certificate["elsewhere"]}


async def test_where_the_vendor_refuses_nothing_is_certified_and_the_night_completes_it(desk: Desk, sandbox: Sandbox):
    ref = await desk.with_project(sandbox)
    login = await sign_up(desk, ref, EDITOR)
    sandbox.faults("DELETE /supabase/projects/{ref}/auth/v1/admin/users/{user_id}", {"kind": "status", "status": 403})

    with pytest.raises(OperatorError, match="the login at Supabase could not be deleted"):
        await forget(desk)

    erasures = "select state, certificate is null as is_open from person_erasures"
    assert await master_rows(desk.stack, erasures) == [{"state": "erasing", "is_open": True}]
    people = "select email from users where auth_user_id = %s"
    assert await tenant_rows(desk.stack, desk.client.organization, people, login) == [{"email": EDITOR}]

    await keep_retention(desk.stack)

    assert await (await _auth(desk, ref)).get_user(login) is None
    assert await master_rows(desk.stack, erasures) == [{"state": "erased", "is_open": False}]
    assert await tenant_rows(desk.stack, desk.client.organization, people, login) == []

"""What the dashboard asks of the API is understood by the real PostgREST and gives what its components expect."""

import psycopg
import pytest

from tests.client.tenant import Tenant, add_people

FILLED = """
with c as (insert into contacts (name, company) values ('Thandi', 'Kloof Coffee') returning id),
l as (insert into leads (contact_id, source, company_name, received_at)
      select id, 'web', '50% off', '2026-11-20T08:00:00Z' from c returning id, contact_id),
d as (insert into deals (contact_id, lead_id, title) select contact_id, id, 'Website' from l)
insert into analytics_snapshots (period, period_start, period_end, version, metrics)
values ('day', '2026-11-20', '2026-11-21', 1, '{"schema": 1, "gained": {"views": {"value": null}}, "top_posts": []}')
"""
EDITOR = "editor@kloof.example"


@pytest.fixture(scope="module")
def token(tenant: Tenant) -> str:
    add_people(tenant)
    with psycopg.connect(tenant.dsn) as conn:
        conn.execute(FILLED)
    return tenant.sign_in(EDITOR)


def test_figures_come_without_the_ids_behind_them_and_null_stays_null(tenant: Tenant, token: str):
    columns = "id,period,version,schema:metrics->schema,gained:metrics->gained,restated:metrics->restated"

    answer = tenant.rest(
        "GET",
        f"/analytics_snapshots?select={columns}&period=eq.day&period_start=gte.2026-11-01"
        "&order=period_start.desc,version.desc&offset=0&limit=500",
        token=token,
    )

    [row] = answer.json()
    assert (row["schema"], row["gained"], row["restated"]) == (1, {"views": {"value": None}}, None)


def test_leads_come_with_their_contact_although_two_keys_join_them(tenant: Tenant, token: str):
    columns = "id,company_name,contact:contacts!leads_contact_id_fkey(name,company)"

    found = tenant.rest("GET", rf"/leads?select={columns}&company_name=ilike.%2550\%25 o%25", token=token)
    other = tenant.rest("GET", rf"/leads?select={columns}&company_name=ilike.%25\_%25", token=token)

    assert [row["contact"] for row in found.json()] == [{"name": "Thandi", "company": "Kloof Coffee"}]
    assert other.json() == []


def test_a_deal_moves_from_the_stage_it_was_seen_in_and_from_no_other(tenant: Tenant, token: str):
    since = "or=(closed_at.is.null,closed_at.gte.2026-08-25T10:00:00.000Z)"
    [deal] = tenant.rest("GET", f"/deals?select=id,stage,contact:contacts(name)&{since}", token=token).json()
    won = {"stage": "won", "closed_at": "2026-11-23T10:00:00.000Z", "lost_reason": None}
    prefer = {"prefer": "return=representation"}

    late = tenant.rest("PATCH", f"/deals?id=eq.{deal['id']}&stage=eq.proposal&select=id", won, token=token, **prefer)
    moved = tenant.rest("PATCH", f"/deals?id=eq.{deal['id']}&stage=eq.qualified&select=id", won, token=token, **prefer)

    assert deal["contact"] == {"name": "Thandi"}
    assert (late.json(), moved.json()) == ([], [{"id": deal["id"]}])


def test_a_preference_is_changed_or_made_but_not_upserted(tenant: Tenant, token: str):
    [me] = tenant.rest("GET", f"/users?select=id&email=eq.{EDITOR}", token=token).json()
    row = {"user_id": me["id"], "event": "weekly_report", "channel": "email", "mode": "digest"}
    of_row = f"user_id=eq.{me['id']}&event=eq.weekly_report&channel=eq.email&select=event"
    prefer = {"prefer": "return=representation"}

    before = tenant.rest("PATCH", f"/notification_preferences?{of_row}", {"mode": "off"}, token=token, **prefer)
    made = tenant.rest("POST", "/notification_preferences", row, token=token)
    after = tenant.rest("PATCH", f"/notification_preferences?{of_row}", {"mode": "off"}, token=token, **prefer)
    upserted = tenant.rest(
        "POST",
        "/notification_preferences?on_conflict=user_id,event,channel",
        row,
        token=token,
        prefer="resolution=merge-duplicates",
    )
    quiet = tenant.rest(
        "PATCH",
        f"/users?id=eq.{me['id']}&select=id",
        {"quiet_from": "22:00", "quiet_until": "06:30"},
        token=token,
        **prefer,
    )

    assert (before.json(), made.status_code, after.json()) == ([], 201, [{"event": "weekly_report"}])
    assert (upserted.status_code, upserted.json()["code"]) == (403, "42501")
    assert quiet.json() == [me]


def test_the_checklist_comes_with_its_steps_and_a_tick_is_dated(tenant: Tenant, token: str):
    columns = "id,completed,completed_at,step:onboarding_steps(title,description,position)"
    steps = tenant.rest("GET", f"/onboarding_checklist?select={columns}", token=token).json()
    first = min(steps, key=lambda row: row["step"]["position"])

    ticked = tenant.rest(
        "PATCH",
        f"/onboarding_checklist?id=eq.{first['id']}&select=completed_at",
        {"completed": True},
        token=token,
        prefer="return=representation",
    )

    assert (len(steps), first["step"]["title"]) == (8, "Sign in for the first time")
    assert ticked.json()[0]["completed_at"] is not None

"""Two clients for attempts across tenants: `asker` has credentials of its own, `other` has a row of everything.

Lives here: what `other` has, its links and those that `asker` can forge, what everything of it amounts to. Not here:
the attempts (`test_cross_tenant_*.py`, `tests/mcp_server/test_isolation.py`).
"""

import hashlib
import hmac
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.resources.migrations import migrate
from draggonnb_pipelines.resources.postgres import MasterDb, Tenants, dsn_for
from draggonnb_pipelines.sql import TENANT_MIGRATIONS
from draggonnb_pipelines.workflows.analytics.report_links import PURPOSE, report_token
from draggonnb_pipelines.workflows.content.reviews import review_token
from draggonnb_pipelines.workflows.messages.acknowledgements import alert_token
from draggonnb_pipelines.workflows.organizations import webhook_secret
from tests.api.agency_proposals import AgencyProposals
from tests.api.post_reviews import PostReviews
from tests.client.tenant import MODULES
from tests.conftest import MakeOrganization
from tests.workflows.invoice_work import Ledger

WEEK = date(2026, 11, 2)  # of the report in `tenant_rows.sql`
ORDER_KEY = "pause:of-the-other"
PERSON = "both@rooibos.example"  # a contact of both
TENANT_ROWS = Path(__file__).resolve().parents[1] / "client" / "tenant_rows.sql"
# Words of its rows, of which no answer to anybody else may hold one.
WORDS = ("kloof.example", "Fresh beans", "A draft", "<p>A week", "An account is blocked", "A deal")
TABLES = "select relname from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace order by 1"


@dataclass(frozen=True)
class TwoClients:
    """`ids` are those of the other's rows by what they are; `links` its public addresses' tokens, `forged` those that
    the asker makes of the same ids with its own key, or of what a reader of the database sees."""

    asker: Organization
    other: Organization
    tenants: Tenants
    master_dsn: str
    ids: dict[str, UUID]
    links: dict[str, str]
    forged: dict[str, Sequence[str]]

    def everything_of_the_other(self) -> dict[str, list[str]]:
        """Each row of its database, and each row of master that holds one of its ids."""
        assert self.other.database_name
        theirs = [str(one) for one in (self.other.id, self.other.slug, *self.ids.values())]
        return {
            **_rows(dsn_for(self.master_dsn, self.other.database_name), "tenant", [""]),
            **_rows(self.master_dsn, "master", theirs),
        }

    def signature(self, body: bytes) -> dict[str, str]:
        """The body signed as the asker signs its own."""
        moment = str(int(time.time()))
        secret = webhook_secret(self.asker, self.tenants).encode()
        digest = hmac.new(secret, moment.encode() + b"." + body, hashlib.sha256).hexdigest()
        return {"content-type": "application/json", "x-draggonnb-signature": f"t={moment},v1={digest}"}


def _rows(dsn: str, kind: str, holding: Sequence[str]) -> dict[str, list[str]]:
    with psycopg.connect(dsn) as conn:
        tables = [name for (name,) in conn.execute(TABLES)]
        query = "select t::text from {} t where exists (select from unnest(%s::text[]) w where strpos(t::text, w) > 0)"
        query += " order by 1"
        found = {
            f"{kind}.{name}": [row for (row,) in conn.execute(query.format(name).encode(), [list(holding)])]
            for name in tables
        }
    return {name: rows for name, rows in found.items() if rows}


def told(answer: str, clients: TwoClients, asked: str = "") -> list[str]:
    """The other's words and ids that stand in an answer, and that who asked did not name."""
    ids = map(str, (clients.other.id, *clients.ids.values()))
    return [one for one in (*WORDS, *ids) if one in answer and one not in asked]


async def two_clients(
    make_organization: MakeOrganization, asker: Organization, master: MasterDb, tenants: Tenants, master_dsn: str
) -> TwoClients:
    """`asker` and a client with a row in each table that `tenant_rows.sql` knows, and in those of master."""
    other = await make_organization("kloof-coffee", owner_email="owner@kloof.example")
    assert other.database_name
    dsn = dsn_for(master_dsn, other.database_name)
    migrate(dsn, TENANT_MIGRATIONS, modules=MODULES)
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute(TENANT_ROWS.read_bytes())
        conn.execute("""update content_queue set payload = '{"text": "Fresh beans"}'""")
    for one in (asker, other):
        async with tenants.open(one) as tenant:
            person = "insert into contacts (name, email, email_normalized) values ('Of both', %s, %s)"
            await tenant.conn.execute(person, (PERSON, PERSON))
    ids = _tenant_ids(dsn) | _fill_master(master_dsn, asker, other, tenants)
    proposal = (await AgencyProposals(other, master, tenants).add(status="sent")).rpartition("/")[2]
    review = await PostReviews(other, master, tenants).add(title="Fresh beans")
    ids |= _linked_ids(master_dsn)
    links, forged = _links(asker, other, tenants, ids, _content_hash(master_dsn))
    return TwoClients(asker, other, tenants, master_dsn, ids, links | {"proposal": proposal, "review": review}, forged)


def _tenant_ids(dsn: str) -> dict[str, UUID]:
    names = {
        "lead": "leads",
        "contact": "contacts",
        "account": "social_accounts",
        "post": "social_posts",
        "row": "content_queue",
        "alert": "alerts",
    }
    with psycopg.connect(dsn, autocommit=True) as conn:
        found = {name: _one(conn, f"select id from {table} order by id limit 1") for name, table in names.items()}
        found["mail"] = _one(
            conn,
            "insert into notification_deliveries (event_key, event, recipient, user_id, channel, status)"
            " select 'lead:2', 'weekly_report', email, id, 'email', 'sent' from users limit 1 returning id",
        )
    return found


def _fill_master(dsn: str, asker: Organization, other: Organization, tenants: Tenants) -> dict[str, UUID]:
    """Money, a delivery, a day with a lead, a backup that failed, a resource; the asker has a subscription too."""
    ledger = Ledger(dsn)
    ledger.subscribe(asker, "DRG-asker")
    ids = _fill_billing(ledger, other, tenants)
    ids["delivery"] = ledger.value(
        "insert into inbox (organization_id, topic, source, delivery_id, raw_sealed, parsed_sealed, state, finished_at,"
        " last_error) values (%s, 'leads', 'web_form', 'd-1', 'sealed', 'sealed', 'dead', now(), 'no reason')"
        " returning id",
        other.id,
    )
    ledger.rows(
        "insert into asset_ledger (organization_id, asset, day, rows) values (%s, 'leads', %s, 1)", other.id, WEEK
    )
    ids["backup"] = ledger.value(
        "insert into backups (id, kind, organization_id, database_name, state, started_at, ended_at, error)"
        " values (gen_random_uuid(), 'tenant', %s, 'kloof', 'failed', now(), now(), 'kloof.example is full')"
        " returning id",
        other.id,
    )
    ledger.rows(
        "insert into stack_resources (organization_id, step, name, vendor, mark)"
        " values (%s, 'supabase_project', 'kloof.example', 'supabase', 'mark')",
        other.id,
    )
    return ids


def _fill_billing(ledger: Ledger, other: Organization, tenants: Tenants) -> dict[str, UUID]:
    subscription = ledger.subscribe(other, "DRG-other")
    payment = ledger.pay(subscription, "3000001")
    ids = {"subscription": subscription, "payment": payment, "invoice": uuid4(), "checkout": uuid4()}
    digests = {
        name: hashlib.sha256(tenants.key(other).derive_token(name, str(ids[name])).encode()).digest()
        for name in ("invoice", "checkout")
    }
    pdf = b"%PDF of kloof.example"
    ledger.rows(
        "insert into invoices (id, organization_id, subscription_id, payment_id, number, period_start, period_end,"
        " net_cents, vat_cents, amount_cents, status, paid_at, token_sha256)"
        " values (%s, %s, %s, %s, 7, '2026-11-23', '2026-12-23', 130435, 19565, 150000, 'paid', now(), %s)",
        *(ids["invoice"], other.id, subscription, payment, digests["invoice"]),
    )
    ledger.rows(
        "insert into invoice_documents (invoice_id, pdf, pdf_sha256) values (%s, %s, %s)",
        *(ids["invoice"], pdf, hashlib.sha256(pdf).digest()),
    )
    ledger.rows(
        "insert into checkouts (id, token_sha256, m_payment_id, seller_id, plan_key, amount_cents, recurring_cents,"
        " company, contact_name, contact_email, approved_at, expires_at)"
        " values (%s, %s, 'DRG-c1', %s, 'starter', 1500, 1500, 'Kloof', 'Desk', 'desk@kloof.example', now(), %s)",
        *(ids["checkout"], digests["checkout"], other.id, datetime.now(UTC) + timedelta(days=7)),
    )
    ids["order"] = ledger.value(
        "insert into subscription_orders (subscription_id, key, verb, state, requested_by, finished_at)"
        " values (%s, %s, 'pause', 'done', 'operator', now()) returning id",
        *(subscription, ORDER_KEY),
    )
    return ids


def _linked_ids(dsn: str) -> dict[str, UUID]:
    with psycopg.connect(dsn) as conn:
        return {
            "proposal": _one(conn, "select proposal_id from proposal_links"),
            "reviewed_post": _one(conn, "select post_id from review_links"),
        }


def _content_hash(dsn: str) -> tuple[str, str]:
    with psycopg.connect(dsn) as conn:
        row = conn.execute("select content_hash, reviewer from review_links").fetchone()
        assert row
        return row


def _links(
    asker: Organization, other: Organization, tenants: Tenants, ids: dict[str, UUID], review: tuple[str, str]
) -> tuple[dict[str, str], dict[str, Sequence[str]]]:
    own, theirs = tenants.key(asker), tenants.key(other)
    links = {name: theirs.derive_token(name, str(ids[name])) for name in ("invoice", "checkout")}
    links["report"] = report_token(tenants, other, WEEK)
    links["alert"] = alert_token(theirs, other, ids["alert"], "owner@kloof.example", other)
    mail = ids["mail"]
    links["mail"] = f"{other.slug}.{mail.hex}.{theirs.derive_token('unsubscribe', str(mail))}"
    forged: dict[str, Sequence[str]] = {
        name: _forged(own.derive_token(name, str(ids[name])), theirs.derive_token(name, str(ids[name])), ids[name])
        for name in ("proposal", "invoice", "checkout")
    }
    post = ids["reviewed_post"]
    forged["review"] = _forged(review_token(own, post, *review), review_token(theirs, post, *review) + "x", post)
    week = WEEK.isoformat()
    forged["report"] = [
        f"{other.slug}.{week}.{own.derive_token(PURPOSE, week)}",
        f"{other.slug}.{report_token(tenants, asker, WEEK).partition('.')[2]}",
        report_token(tenants, asker, WEEK),
    ]
    forged["alert"] = [
        alert_token(own, other, ids["alert"], "owner@kloof.example", other),
        alert_token(own, asker, ids["alert"], "sales@outsider.example", asker),
        alert_token(own, asker, ids["alert"], "owner@kloof.example", other),
        f"{asker.slug}.{links['alert'].partition('.')[2]}",
    ]
    proof = own.derive_token("unsubscribe", str(mail))
    forged["mail"] = [
        f"{other.slug}.{mail.hex}.{proof}", f"{asker.slug}.{mail.hex}.{proof}",
        f"{asker.slug}.{links['mail'].partition('.')[2]}",
    ]  # fmt: skip
    return links, forged


def _forged(with_own_key: str, theirs: str, row: UUID) -> Sequence[str]:
    """Also the row's id, and what stands in the database in the token's place."""
    return [with_own_key, str(row), hashlib.sha256(theirs.encode()).hexdigest()]


def _one(conn: psycopg.Connection[Any], query: str) -> Any:
    row = conn.execute(query.encode()).fetchone()
    assert row
    return row[0]

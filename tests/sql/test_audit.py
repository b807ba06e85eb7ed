"""The audit chain: nobody changes it, and whoever gets past that is named."""

import threading

import psycopg
import pytest

from tests.sql.conftest import Connection, execute, value


@pytest.fixture
def chain(tenant_conn: Connection) -> Connection:
    """Six entries in a tenant's log; the first is the fixture's own."""
    for number in range(2, 7):
        tenant_conn.execute(
            "select append_audit('operator', 'lead.viewed', %s, '{\"b\": 1, \"a\": [2]}')", [f"lead:{number}"]
        )
    assert _broken(tenant_conn) == []
    return tenant_conn


def _broken(conn: Connection) -> list[tuple[int, str]]:
    """Each broken entry with the first word of the reason."""
    return [(row["id"], row["reason"].split(":")[0]) for row in conn.execute("select id, reason from verify_audit()")]


def _tamper(conn: Connection, *statements: str) -> None:
    """What a superuser can do: switch the triggers off."""
    conn.execute("alter table audit_log disable trigger user")
    for statement in statements:
        execute(conn, statement)
    conn.execute("alter table audit_log enable always trigger append_only")


@pytest.mark.parametrize(
    "statement", ["update audit_log set actor = 'x'", "delete from audit_log where id = 6", "truncate audit_log"]
)
def test_even_the_owner_is_refused_a_change(chain: Connection, statement: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="append-only"):
        execute(chain, statement)
    chain.execute("set session_replication_role = replica")
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="append-only"):
        execute(chain, statement)

    assert value(chain, "select count(*) from audit_log") == 6


@pytest.mark.parametrize(
    "change",
    ["actor = 'x'", "action = 'x'", "resource = 'x'", "at = at + interval '1 microsecond'", "metadata = '{}'",
     "user_id = gen_random_uuid()"],
)  # fmt: skip
def test_an_altered_entry_is_named(chain: Connection, change: str) -> None:
    _tamper(chain, f"update audit_log set {change} where id = 3")

    assert _broken(chain) == [(3, "altered")]


def test_an_entry_rewritten_with_a_fitting_hash_is_named(chain: Connection) -> None:
    _tamper(
        chain,
        "update audit_log set actor = 'x' where id = 3",
        "update audit_log a set hash = app.audit_hash(a) where id = 3",
    )

    assert _broken(chain) == [(3, "altered")]


def test_a_chain_rewritten_to_its_end_is_named(chain: Connection) -> None:
    _tamper(
        chain,
        "update audit_log set actor = 'x' where id = 6",
        "update audit_log a set hash = app.audit_hash(a) where id = 6",
    )

    assert _broken(chain) == [(6, "altered")]


def test_removed_entries_are_named(chain: Connection) -> None:
    _tamper(chain, "delete from audit_log where id in (3, 4)")

    assert list(chain.execute("select * from verify_audit()")) == [
        {"id": 3, "reason": "removed: entries 3 to 4 are missing"}
    ]


def test_entries_removed_from_the_end_are_named(chain: Connection) -> None:
    _tamper(chain, "delete from audit_log where id > 4")

    assert list(chain.execute("select * from verify_audit()")) == [
        {"id": 5, "reason": "removed: entries 5 to 6 are missing at the end"}
    ]


def test_reordered_entries_are_named(chain: Connection) -> None:
    _tamper(
        chain,
        "update audit_log set id = 99 where id = 3",
        "update audit_log set id = 3 where id = 4",
        "update audit_log set id = 4 where id = 99",
    )

    assert _broken(chain)[0] == (3, "reordered")


def test_a_removal_hidden_by_renumbering_is_named(chain: Connection) -> None:
    _tamper(chain, "delete from audit_log where id = 3", "update audit_log set id = id - 1 where id > 3")

    assert _broken(chain)[0] == (3, "altered")


def test_an_inserted_entry_is_named_wherever_it_was_put(chain: Connection) -> None:
    """By a hand that knows how the chain is made: it follows the entry before it, and its own hash fits."""
    forged = (
        "insert into audit_log (id, at, actor, action, resource, metadata, prev_hash, hash)"
        " select {place}, at, 'x', action, resource, metadata, {before}, sha256('any') from audit_log where id = 3"
    )
    fit = "update audit_log a set hash = app.audit_hash(a) where actor = 'x'"

    _tamper(chain, forged.format(place=7, before="(select hash from audit_log where id = 6)"), fit)
    at_the_end = _broken(chain)
    _tamper(
        chain,
        "delete from audit_log where id = 7",
        "update audit_log set id = id + 100 where id > 3",
        "update audit_log set id = id - 99 where id > 100",
        forged.format(place=4, before="(select hash from audit_log where id = 3)"),
        fit,
    )

    assert at_the_end == [(7, "altered")]
    assert _broken(chain)[0] == (5, "reordered")  # the forged one stands between it and the one that it follows


def test_a_log_that_was_emptied_is_named(chain: Connection) -> None:
    _tamper(chain, "delete from audit_log")

    assert list(chain.execute("select * from verify_audit()")) == [
        {"id": 1, "reason": "removed: entries 1 to 6 are missing at the end"}
    ]


@pytest.mark.parametrize("head", ["last_id = 5", "last_hash = sha256('x')", "last_id = 9"])
def test_a_head_that_was_moved_is_named(chain: Connection, head: str) -> None:
    execute(chain, f"update audit_head set {head}")

    assert len(_broken(chain)) == 1


def test_the_hash_does_not_depend_on_the_session(chain: Connection) -> None:
    chain.execute("set timezone = 'Pacific/Auckland'")
    chain.execute("set datestyle = 'German'")
    chain.execute("set bytea_output = 'escape'")

    assert _broken(chain) == []


def test_writers_at_once_make_one_chain(tenant_dsn: str, tenant_conn: Connection) -> None:
    def write() -> None:
        with psycopg.connect(tenant_dsn, autocommit=True) as conn:
            for _ in range(25):
                conn.execute("select append_audit('worker', 'lead.scored', 'lead:1')")

    writers = [threading.Thread(target=write) for _ in range(8)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()

    assert value(tenant_conn, "select last_id from audit_head") == 201
    assert _broken(tenant_conn) == []


def test_an_entry_of_a_transaction_that_is_rolled_back_leaves_no_gap(tenant_conn: Connection) -> None:
    with tenant_conn.transaction(force_rollback=True):
        assert value(tenant_conn, "select append_audit('worker', 'lead.scored', 'lead:1')") == 2

    assert value(tenant_conn, "select append_audit('worker', 'lead.scored', 'lead:2')") == 2
    assert _broken(tenant_conn) == []


def test_the_master_log_is_of_the_same_make(master_conn: Connection) -> None:
    for number in range(3):
        master_conn.execute("select append_audit('operator', 'organization.created', %s)", [f"organization:{number}"])
    assert _broken(master_conn) == []

    _tamper(master_conn, "update audit_log set actor = 'x' where id = 2")

    assert _broken(master_conn) == [(2, "altered")]

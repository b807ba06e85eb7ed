"""The list of sealed columns is whole: every binary column of both schemas is in it, or is no secret."""

import re
from pathlib import Path

from draggonnb_pipelines.sql import QUERIES
from draggonnb_pipelines.workflows.operations.sealed_columns import UNDER_MASTER_KEYS, UNDER_TENANT_KEYS, UNUSED
from tests.sql.conftest import Connection, execute

# Documents that were sent, and hashes.
NOT_SEALED = {("master", "invoice_documents.pdf"), ("tenant", "report_files.content")}
BINARY = """
    select table_name || '.' || column_name as name from information_schema.columns
    where table_schema = 'public' and data_type = 'bytea' and column_name !~ '(^|_)(sha256|hash)$'
"""


def test_every_binary_column_is_known_as_sealed_or_not(master_conn: Connection, tenant_conn: Connection) -> None:
    found = {
        (database, row["name"])
        for database, conn in (("master", master_conn), ("tenant", tenant_conn))
        for row in execute(conn, BINARY)
    }

    under_master = {("master", sealed.name) for sealed in UNDER_MASTER_KEYS}
    assert found == under_master | UNDER_TENANT_KEYS | UNUSED | NOT_SEALED


def test_what_is_listed_as_unused_is_written_by_no_query() -> None:
    queries = "".join(path.read_text() for path in Path(QUERIES).glob("*.sql"))

    assert [name for _, name in UNUSED if re.search(rf"\b{name.partition('.')[0]}\b", queries)] == []


def test_the_key_of_an_envelope_is_read_in_sql_and_what_is_none_is_said_so(master_conn: Connection) -> None:
    envelopes = {
        b"\x01\x03old" + bytes(28): "old",
        b"\x01\x03old" + bytes(25): "?",
        b"\x02\x03old" + bytes(28): "?",
        b"": "?",
        b"\x01\x02\xff\x00" + bytes(28): r"\377\000",
    }

    read = [
        execute(master_conn, "select app.sealing_key(%s) as key", sealed).fetchall()[0]["key"] for sealed in envelopes
    ]

    assert read == list(envelopes.values())

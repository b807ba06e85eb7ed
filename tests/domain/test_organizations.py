"""Where the database of an organization is, by its row alone."""

from dataclasses import replace
from uuid import uuid4

from draggonnb_pipelines.domain.organizations import Organization

OWN = Organization(uuid4(), "kloof-coffee", "Kloof Coffee", "active", "UTC", "en-ZA", "kloof_coffee", None, b"key")


def test_only_a_database_that_a_vendor_has_is_hosted():
    placed = replace(OWN, dsn_sealed=b"on another server of ours")

    assert [one.is_hosted for one in (OWN, placed, replace(placed, database_name=None))] == [False, False, True]

"""What is wrong with one payment, by its entries in the three books."""

from dataclasses import replace
from datetime import date

import pytest

from draggonnb_pipelines.domain.books import Entry, findings_of, gap_finding

DAY = date(2026, 11, 23)
AGREED = Entry(
    pf_payment_id="77",
    organization_id=None,
    day=DAY,
    notice_cents=150000,
    notice_fee_cents=-5450,
    needs_invoice=True,
    invoice_cents=150000,
    history_cents=150000,
    history_fee_cents=-5450,
    paid_back_cents=0,
    was_read=True,
)


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({}, []),
        ({"invoice_cents": None}, [("not_invoiced", -150000)]),
        ({"invoice_cents": None, "needs_invoice": False}, []),
        ({"invoice_cents": 149999}, [("invoice_differs", -1)]),
        ({"history_cents": 149999}, [("amount_differs", 1)]),
        ({"history_fee_cents": -5451}, [("fee_differs", 1)]),
        ({"notice_fee_cents": None}, []),
        ({"history_cents": None, "history_fee_cents": None}, [("not_in_history", 150000)]),
        ({"history_cents": None, "history_fee_cents": None, "was_read": False}, []),
        ({"notice_cents": None, "invoice_cents": None}, [("not_applied", -150000)]),
        ({"notice_cents": None, "invoice_cents": None, "paid_back_cents": -150000}, []),
        ({"notice_cents": None, "invoice_cents": None, "paid_back_cents": -50000}, [("not_applied", -100000)]),
        ({"notice_cents": None}, [("not_applied", -150000), ("invoice_differs", 150000)]),
        ({"paid_back_cents": -150000}, [("paid_back", 150000)]),
        ({"paid_back_cents": -150000, "invoice_cents": None}, []),
        ({"notice_cents": 0, "invoice_cents": None, "history_cents": None, "history_fee_cents": None}, []),
    ],
)
def test_what_differs_is_named_with_ours_less_theirs(changes: dict[str, object], found: list[tuple[str, int]]) -> None:
    findings = findings_of(replace(AGREED, **changes))

    assert [(one.kind, one.difference_cents) for one in findings] == found
    assert [one.key for one in findings] == [f"{kind}:77" for kind, _ in found]


def test_a_series_without_gaps_is_no_finding_and_a_gap_or_a_stranger_is() -> None:
    assert gap_finding(DAY, 3, [1, 2, 3]) is None
    assert gap_finding(DAY, 0, []) is None
    gap = gap_finding(DAY, 4, [1, 3, 5])

    assert gap is not None
    assert (gap.kind, gap.what) == ("number_gap", "3 numbers are missing or too many: 2, 4, 5")

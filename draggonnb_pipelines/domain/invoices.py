"""An invoice as the South African Revenue Service wants to see it: its number, its VAT, the month that it is for.

Lives here: the arithmetic and the facts of one invoice. Pure. Not here: who gets the next number
(`workflows/billing/invoices.py`), how the page looks (`resources/invoice_pdf.py`), what a payment does to a
subscription (`subscriptions.py`).
Source: Value-Added Tax Act 89 of 1991, sections 20(4) (what a tax invoice shows) and 64 (prices include the tax).
"""

import calendar
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Self

from draggonnb_pipelines.domain.subscriptions import month_after

VAT_BASIS_POINTS = 1500
_WHOLE = 10_000


@dataclass(frozen=True, slots=True)
class Party:
    """Who sells, or who buys. `address` is a line a string; without a VAT number nobody is registered for VAT."""

    name: str
    address: tuple[str, ...] = ()
    vat_number: str | None = None

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> Self:
        """As `invoices.seller` and `invoices.buyer` hold it."""
        return cls(stored["name"], tuple(stored["address"]), stored["vat_number"])

    def stored(self) -> dict[str, Any]:
        return {"name": self.name, "address": list(self.address), "vat_number": self.vat_number}


@dataclass(frozen=True, slots=True)
class Line:
    """What was sold, once, at a price that includes VAT."""

    description: str
    amount_cents: int


@dataclass(frozen=True, slots=True)
class Invoice:
    """One invoice, paid already. Amounts in cents, days of South Africa; `period_end` is the first day after it."""

    number: str
    kind: str
    issued_on: date
    paid_on: date
    payment_reference: str
    period_start: date
    period_end: date
    net_cents: int
    vat_cents: int
    amount_cents: int
    vat_basis_points: int
    seller: Party
    buyer: Party
    lines: tuple[Line, ...]

    @property
    def title(self) -> str:
        """Only who is registered for VAT may issue a tax invoice."""
        return "TAX INVOICE" if self.seller.vat_number else "INVOICE"

    @property
    def period(self) -> str:
        return period_in_words(self.period_start, self.period_end)


def vat_within(amount_cents: int, basis_points: int) -> tuple[int, int]:
    """Net and VAT of a price that includes it: the net rounded half up to the cent, the VAT is the rest.

    Raises:
        ValueError: a negative amount or rate.
    """
    if amount_cents < 0 or basis_points < 0:
        raise ValueError(f"no price: {amount_cents} cents with {basis_points} basis points of VAT")
    gross = _WHOLE + basis_points
    net = (2 * amount_cents * _WHOLE + gross) // (2 * gross)
    return net, amount_cents - net


def invoice_number(series: str, number: int) -> str:
    """`DRG`, 1 → `DRG-000001`."""
    return f"{series}-{number:06d}"


def period_paid_for(first_day: date, taken: Iterable[tuple[date, date]]) -> tuple[date, date]:
    """First day of the month that a payment is for, and the first day after it.

    It begins on `first_day`, unless another invoice is for some of these days: then it is the month after all of
    them, since no month is invoiced twice and each payment gets its invoice.
    """
    periods = list(taken)
    period = first_day, month_after(first_day)
    if any(start < period[1] and period[0] < end for start, end in periods):
        start = max(end for _, end in periods)
        period = start, month_after(start)
    return period


def rest_of_period(day: date, periods: Iterable[tuple[date, date]]) -> tuple[date, date]:
    """What a charge besides the months is for: the month that this day lies in, from the day on."""
    return day, next((end for start, end in periods if start <= day < end), month_after(day))


def rand(cents: int) -> str:
    """`123450` → `R 1 234,50`, as South Africans write it, with no-break spaces."""
    whole, rest = divmod(abs(cents), 100)
    sign = "-" if cents < 0 else ""
    return f"{sign}R\u00a0{whole:,}".replace(",", "\u00a0") + f",{rest:02d}"


def day_in_words(day: date) -> str:
    """`23 November 2026`."""
    return f"{day.day} {calendar.month_name[day.month]} {day.year}"


def period_in_words(start: date, end: date) -> str:
    """`23 November 2026 to 22 December 2026`: both days belong to it, unlike `end`."""
    last = end - timedelta(days=1)
    return day_in_words(start) if last == start else f"{day_in_words(start)} to {day_in_words(last)}"


def percent(basis_points: int) -> str:
    """`1500` → `15 %`."""
    whole, rest = divmod(basis_points, 100)
    return f"{whole}" + (f",{rest:02d}".rstrip("0") if rest else "") + "\u00a0%"

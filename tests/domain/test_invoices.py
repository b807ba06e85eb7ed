"""An invoice's arithmetic: VAT inside a price, months that do not overlap, numbers and amounts as people read them."""

from datetime import date

import pytest

from draggonnb_pipelines.domain.invoices import (
    day_in_words,
    invoice_number,
    percent,
    period_in_words,
    period_paid_for,
    rand,
    rest_of_period,
    vat_within,
)


@pytest.mark.parametrize(
    ("amount", "net", "vat"),
    [(150000, 130435, 19565), (115, 100, 15), (0, 0, 0), (1, 1, 0), (4, 3, 1), (99999999, 86956521, 13043478)],
)
def test_vat_is_contained_in_the_price_and_the_net_is_rounded_half_up(amount: int, net: int, vat: int) -> None:
    assert vat_within(amount, 1500) == (net, vat)
    assert vat_within(amount, 0) == (amount, 0)


def test_half_a_cent_of_net_goes_up() -> None:
    assert vat_within(1, 10_000) == (1, 0)


def test_net_and_vat_always_make_the_price() -> None:
    for amount in range(0, 30_000, 7):
        net, vat = vat_within(amount, 1500)
        assert net + vat == amount
        assert abs(net * 115 - amount * 100) * 2 <= 115


@pytest.mark.parametrize(("amount", "rate"), [(-1, 1500), (100, -1)])
def test_negative_prices_and_rates_are_refused(amount: int, rate: int) -> None:
    with pytest.raises(ValueError, match="no price"):
        vat_within(amount, rate)


@pytest.mark.parametrize(
    ("first_day", "taken", "period"),
    [
        (date(2026, 11, 23), [], (date(2026, 11, 23), date(2026, 12, 23))),
        (date(2027, 1, 31), [], (date(2027, 1, 31), date(2027, 2, 28))),
        (date(2026, 12, 31), [], (date(2026, 12, 31), date(2027, 1, 31))),
        (
            date(2026, 12, 23),
            [(date(2026, 11, 23), date(2026, 12, 23)), (date(2027, 1, 23), date(2027, 2, 23))],
            (date(2026, 12, 23), date(2027, 1, 23)),
        ),
        (date(2026, 11, 23), [(date(2026, 11, 23), date(2026, 12, 23))], (date(2026, 12, 23), date(2027, 1, 23))),
        (date(2026, 12, 20), [(date(2026, 11, 23), date(2026, 12, 23))], (date(2026, 12, 23), date(2027, 1, 23))),
    ],
)
def test_a_month_is_invoiced_once(first_day: date, taken: list[tuple[date, date]], period: tuple[date, date]) -> None:
    assert period_paid_for(first_day, taken) == period


def test_a_charge_is_for_the_rest_of_the_month_that_is_paid() -> None:
    paid = [(date(2026, 11, 23), date(2026, 12, 23))]

    assert rest_of_period(date(2026, 12, 3), paid) == (date(2026, 12, 3), date(2026, 12, 23))
    assert rest_of_period(date(2026, 12, 23), paid) == (date(2026, 12, 23), date(2027, 1, 23))


def test_numbers_amounts_and_days_are_written_as_south_africans_do() -> None:
    assert invoice_number("DRG", 1) == "DRG-000001"
    assert invoice_number("DRG", 1234567) == "DRG-1234567"
    assert rand(123456789) == "R\u00a01\u00a0234\u00a0567,89"
    assert (rand(0), rand(-5)) == ("R\u00a00,00", "-R\u00a00,05")
    assert (percent(1500), percent(1550)) == ("15\u00a0%", "15,5\u00a0%")
    assert day_in_words(date(2026, 11, 3)) == "3 November 2026"
    assert period_in_words(date(2026, 11, 23), date(2026, 12, 23)) == "23 November 2026 to 22 December 2026"
    assert period_in_words(date(2026, 11, 23), date(2026, 11, 24)) == "23 November 2026"

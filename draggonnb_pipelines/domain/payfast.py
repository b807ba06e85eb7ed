"""What somebody is asked to pay: a checkout, and the form that their browser posts to PayFast.

Lives here: what a checkout may hold, PayFast's clock. Not here: the signatures (`payfast_signatures.py`), notices that
come back (`itn.py`), the calls (`resources/payfast.py`).
Source: PayFast's "Custom integration" page.
"""

import re
from datetime import date, datetime, timedelta, timezone
from enum import IntEnum
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from draggonnb_pipelines.domain.contact_details import email_address, one_line
from draggonnb_pipelines.domain.payfast_signatures import checkout_signature

# PayFast's clock (South Africa Standard Time); the country has no summer time.
SAST = timezone(timedelta(hours=2), "SAST")
MIN_AMOUNT_CENTS = 500
MAX_AMOUNT_CENTS = 99_999_999
_WEB_ADDRESS = re.compile(r"https?://[!-~]{1,2000}")
_TYPED_AMOUNT = re.compile(r"(?:R|ZAR)? ?(?P<whole>\d{1,6})(?:\.(?P<cents>\d{1,2}))?", re.ASCII)


class Frequency(IntEnum):
    """How often a subscription is charged, by PayFast's numbers."""

    DAILY = 1
    WEEKLY = 2
    MONTHLY = 3
    QUARTERLY = 4
    BIANNUAL = 5
    ANNUAL = 6


def south_african_day(at: datetime) -> date:
    """The day by PayFast's clock, by which it charges."""
    return at.astimezone(SAST).date()


def rand(cents: int) -> str:
    """An amount as a checkout wants it: rand with two decimals, such as 1500.00."""
    return f"{cents // 100}.{cents % 100:02d}"


def cents_of(text: str) -> int:
    """Cents of an amount as a person types it: 150, 150.00, R150.00 or ZAR 150.

    Raises:
        ValueError: another currency, a negative amount, or no amount; says which.
    """
    found = _TYPED_AMOUNT.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text.strip()[:30]!r} is no amount in rand, such as 150.00: PayFast takes ZAR only")
    whole, cents = int(found["whole"]), int((found["cents"] or "0").ljust(2, "0"))
    return whole * 100 + cents


def _text(max_chars: int) -> AfterValidator:
    return AfterValidator(lambda text: one_line(text, max_chars) or "")


def _email(text: str) -> str:
    address = email_address(text)
    return one_line(address.as_given, 100) or "" if address else ""


def _web_address(text: str) -> str:
    if not _WEB_ADDRESS.fullmatch(text.strip()):
        raise ValueError("must be an http or https address")
    return text.strip()


def _amount(cents: int) -> int:
    if 0 < cents < MIN_AMOUNT_CENTS:
        raise ValueError(f"PayFast takes no amount under R{rand(MIN_AMOUNT_CENTS)}")
    return cents


AmountCents = Annotated[int, Field(strict=True, ge=0, le=MAX_AMOUNT_CENTS), AfterValidator(_amount)]
WebAddress = Annotated[str, AfterValidator(_web_address)]


class Checkout(BaseModel):
    """What somebody is asked to pay, and how often.

    Amounts are in cents, R5.00 and more. The first one may be 0: a trial, or a card that is only kept for later.
    `subscription_type` 1 is charged by PayFast itself, 2 keeps the card for charges of ours, None is paid once.
    `cycles` 0 goes on until it is cancelled. `billing_date` is when the recurring charges begin (default: today).
    `m_payment_id` is ours; PayFast neither checks nor enforces it. Raises pydantic's ValidationError, which does not
    repeat what was given: it holds personal data.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    m_payment_id: Annotated[str, Field(pattern=r"^[!-~]{1,100}$")]
    amount_cents: AmountCents
    currency: Literal["ZAR"] = "ZAR"
    item_name: Annotated[str, _text(100)]
    item_description: Annotated[str, _text(255)] = ""
    return_url: WebAddress
    cancel_url: WebAddress
    notify_url: WebAddress
    name_first: Annotated[str, _text(100)] = ""
    name_last: Annotated[str, _text(100)] = ""
    email_address: Annotated[str, AfterValidator(_email)] = ""
    custom_str: tuple[Annotated[str, _text(255)], ...] = Field(default=(), max_length=5)
    custom_int: tuple[Annotated[int, Field(strict=True)], ...] = Field(default=(), max_length=5)
    subscription_type: Literal[1, 2] | None = 1
    billing_date: date | None = None
    recurring_amount_cents: AmountCents | None = None
    frequency: Frequency | None = Frequency.MONTHLY
    cycles: int | None = Field(default=0, ge=0, strict=True)

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        if not self.item_name:
            raise ValueError("item_name must not be blank")
        if self.subscription_type == 1:
            if self.frequency is None or self.cycles is None:
                raise ValueError("a subscription needs a frequency and its cycles")
            if not (self.amount_cents if self.recurring_amount_cents is None else self.recurring_amount_cents):
                raise ValueError("a subscription needs a recurring amount")
        elif self.subscription_type is None and not self.amount_cents:
            raise ValueError("a single payment needs an amount")
        return self


def checkout_form(checkout: Checkout, *, merchant_id: str, merchant_key: str, passphrase: str) -> list[tuple[str, str]]:
    """The fields of the form in their order, blank ones left out, `signature` last.

    Raises:
        ValueError: a subscription without a passphrase, which PayFast does not take.
    """
    if checkout.subscription_type is not None and not passphrase:
        raise ValueError("PayFast takes subscriptions only with a passphrase")
    fields = {
        "merchant_id": merchant_id,
        "merchant_key": merchant_key,
        "return_url": checkout.return_url,
        "cancel_url": checkout.cancel_url,
        "notify_url": checkout.notify_url,
        "name_first": checkout.name_first,
        "name_last": checkout.name_last,
        "email_address": checkout.email_address,
        "m_payment_id": checkout.m_payment_id,
        "amount": rand(checkout.amount_cents),
        "item_name": checkout.item_name,
        "item_description": checkout.item_description,
        **{f"custom_int{number}": str(value) for number, value in enumerate(checkout.custom_int, start=1)},
        **{f"custom_str{number}": value for number, value in enumerate(checkout.custom_str, start=1)},
        **_subscription_fields(checkout),
    }
    sent = {name: value for name, value in fields.items() if value}
    return [*sent.items(), ("signature", checkout_signature(sent, passphrase))]


def _subscription_fields(checkout: Checkout) -> dict[str, str]:
    if checkout.subscription_type is None:
        return {}
    fields = {"subscription_type": str(checkout.subscription_type)}
    if checkout.subscription_type == 1:
        again, frequency = checkout.recurring_amount_cents, checkout.frequency
        fields["billing_date"] = checkout.billing_date.isoformat() if checkout.billing_date else ""
        fields["recurring_amount"] = rand(checkout.amount_cents if again is None else again)
        fields["frequency"] = str(int(frequency)) if frequency else ""
        fields["cycles"] = str(checkout.cycles)
    return fields

"""Notices that must not be believed: each changes nothing, is kept with its reason, and is told of once."""

from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from draggonnb_pipelines.domain.itn import Itn, parse_itn
from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.billing.payments import take_notices
from tests.payfast_till import LetterBox, letter_box
from tests.sandbox_process import Sandbox
from tests.workflows.billing_work import books, empty_books, open_checkout, pay, payments, receive, signed, took
from tests.workflows.conftest import World

LOCAL = "127.0.0.1"
SIGNATURE = "the signature is wrong"
AMOUNT = "the amount is not what was to be paid, or nothing of ours was"
NOT_THEIRS = "PayFast says that it did not send this"
ELSEWHERE = "it came from an address that is none of PayFast's"
BROKEN = "no notice of PayFast's: "
Forgery = tuple[Callable[[Itn, bytes], bytes], str | None, str]


@pytest.fixture(autouse=True)
def clean_books(world: World) -> Iterator[None]:
    empty_books(world.dsn)
    yield
    empty_books(world.dsn)


@pytest.fixture
async def box() -> AsyncIterator[LetterBox]:
    async with letter_box() as opened:
        yield opened


def changed(**fields: str) -> Callable[[Itn, bytes], bytes]:
    """The true notice with other values, signed anew, as somebody with our passphrase would."""
    return lambda itn, raw: signed((name, fields.get(name, value)) for name, value in itn.pairs)


def more(**fields: str) -> Callable[[Itn, bytes], bytes]:
    return lambda itn, raw: signed([*itn.pairs, *fields.items()])


def without(*names: str) -> Callable[[Itn, bytes], bytes]:
    return lambda itn, raw: signed(pair for pair in itn.pairs if pair[0] not in names)


def edited(old: bytes, new: bytes) -> Callable[[Itn, bytes], bytes]:
    """The bytes of the true notice, tampered with."""
    return lambda itn, raw: raw.replace(old, new)


def body(raw: bytes) -> Callable[[Itn, bytes], bytes]:
    return lambda itn, true: raw


def same(itn: Itn, raw: bytes) -> bytes:
    return raw


def reordered(itn: Itn, raw: bytes) -> bytes:
    first, second, rest = raw.split(b"&", 2)
    return b"&".join((second, first, rest))


FORGERIES: dict[str, Forgery] = {
    "a smaller amount, not signed": (edited(b"1500.00", b"5.00"), LOCAL, f"{SIGNATURE}; {AMOUNT}"),
    "a smaller amount, signed": (changed(amount_gross="5.00"), LOCAL, AMOUNT),
    "a larger amount, signed": (changed(amount_gross="1500.01"), LOCAL, AMOUNT),
    "nothing paid": (changed(amount_gross="0.00"), LOCAL, AMOUNT),
    "a negative amount": (changed(amount_gross="-1500.00"), LOCAL, AMOUNT),
    "a blank amount": (changed(amount_gross=""), LOCAL, AMOUNT),
    "dollars in a field": (more(currency="USD"), LOCAL, "foreign currency 'USD'"),
    "dollars in the amount": (changed(amount_gross="USD1500.00"), LOCAL, f"{BROKEN}amount_gross cannot be read"),
    "thousands with a comma": (changed(amount_gross="1,500.00"), LOCAL, f"{BROKEN}amount_gross cannot be read"),
    "digits of another script": (changed(amount_gross="١٥٠٠.٠٠"), LOCAL, f"{BROKEN}amount_gross cannot be read"),
    "another merchant": (changed(merchant_id="10000101"), LOCAL, "it is for another merchant"),
    "no merchant": (without("merchant_id"), LOCAL, f"{BROKEN}merchant_id is missing"),
    "another's passphrase": (lambda itn, raw: signed(itn.pairs, "guess"), LOCAL, SIGNATURE),
    "no passphrase": (lambda itn, raw: signed(itn.pairs, ""), LOCAL, SIGNATURE),
    "zeros for a signature": (lambda itn, raw: raw[:-32] + b"0" * 32, LOCAL, SIGNATURE),
    "no signature": (lambda itn, raw: raw.rpartition(b"&")[0], LOCAL, f"{BROKEN}the signature is missing or not the"),
    "a field behind the signature": (lambda itn, raw: raw + b"&x=1", LOCAL, f"{BROKEN}the signature is missing or not"),
    "fields in another order": (reordered, LOCAL, SIGNATURE),
    "the true one from elsewhere": (same, "196.25.1.1", ELSEWHERE),
    "the true one from a private address": (same, "10.0.0.1", ELSEWHERE),
    "the true one by IPv6 from elsewhere": (same, "2001:db8::1", ELSEWHERE),
    "the true one from nowhere": (same, None, ELSEWHERE),
    "never sent by PayFast": (changed(pf_payment_id="999999"), LOCAL, NOT_THEIRS),
    "a replay under another id": (changed(pf_payment_id="999998", custom_int1="1"), LOCAL, NOT_THEIRS),
    "another token": (changed(token="0000-1111-2222-3333"), LOCAL, NOT_THEIRS),
    "another month": (changed(billing_date="2031-01-01"), LOCAL, NOT_THEIRS),
    "a forged cancellation": (changed(payment_status="CANCELLED"), LOCAL, NOT_THEIRS),
    "an unknown order": (changed(m_payment_id="DRG-nobody"), LOCAL, AMOUNT),
    "no order": (changed(m_payment_id=""), LOCAL, AMOUNT),
    "a status in small letters": (changed(payment_status="complete"), LOCAL, f"{BROKEN}payment_status cannot be read"),
    "a day that does not exist": (changed(billing_date="2026-02-31"), LOCAL, f"{BROKEN}billing_date cannot be read"),
    "a token of rubbish": (changed(token="'; drop table payments"), LOCAL, f"{BROKEN}token cannot be read"),
    "a field twice": (more(amount_gross="5.00"), LOCAL, f"{BROKEN}a field comes twice"),
    "a NUL": (changed(item_name="a\0b"), LOCAL, f"{BROKEN}item_name holds a NUL"),
    "no UTF-8": (edited(b"Front", b"%FF%FE"), LOCAL, f"{BROKEN}name_first is not UTF-8"),
    "a broken encoding": (edited(b"Front", b"%ZZ"), LOCAL, f"{BROKEN}not encoded as a form"),
    "JSON": (body(b'{"payment_status": "COMPLETE"}'), LOCAL, f"{BROKEN}not encoded as a form"),
    "nothing": (body(b""), LOCAL, f"{BROKEN}a field has no name"),
    "bytes": (body(bytes(range(256))), LOCAL, f"{BROKEN}"),
    "too many fields": (body(b"&".join(b"a%d=1" % n for n in range(61))), LOCAL, f"{BROKEN}more than 60 fields"),
    "too large": (body(b"a=" + b"x" * 17_000), LOCAL, f"{BROKEN}over 16384 bytes"),
}


async def test_forty_forgeries_change_nothing_and_are_told_of_once_each(
    stack: Stack, agency: Organization, outsider: Organization, sandbox: Sandbox, box: LetterBox
) -> None:
    checkout = await open_checkout(stack, agency)
    _, true = await pay(stack, sandbox, box, checkout)
    itn = parse_itn(true)
    before = await books(stack)

    reasons = {}
    for name, (forge, source, _) in FORGERIES.items():
        [row] = await receive(stack, forge(itn, true), source=source)
        assert await take_notices(stack, "run-1") == [], name
        reasons[name] = next(payment for payment in await payments(stack) if payment["id"] == row)
    await take_notices(stack, "run-2")

    assert len(FORGERIES) == 41
    for name, (_, _, reason) in FORGERIES.items():
        assert (reasons[name]["state"], reasons[name]["applied_at"]) == ("rejected", None), name
        assert reasons[name]["reason"].startswith(reason), (name, reasons[name]["reason"])
        assert reasons[name]["told_at"] is not None, name
    assert await books(stack) == before
    # Of ten strangers, and of all 13 that are signed and come from PayFast's address; one mail more tells of others.
    told = [mail for mail in sandbox.public("mail") if mail["subject"] == "A payment notice was refused"]
    assert (len(told), {mail["recipient"] for mail in told}) == (23, {"sales@draggonnb.example"})
    assert len(sandbox.public("mail")) == 24
    # The true one, however late, still does what it is for.
    assert await took(stack, true) == ["kloof-coffee"]


async def test_a_flood_of_forgeries_is_no_flood_of_mails(stack: Stack, agency: Organization, sandbox: Sandbox) -> None:
    await receive(stack, *(b"m_payment_id=%d" % number for number in range(60)))

    assert await take_notices(stack, "run-1") == []

    subjects = [mail["subject"] for mail in sandbox.public("mail")]
    assert subjects.count("A payment notice was refused") == 10
    assert subjects.count("50 more payment notices were refused") == 1
    assert len(subjects) == 11
    assert {payment["state"] for payment in await payments(stack)} == {"rejected"}


async def test_pending_and_failed_are_no_news_and_an_unknown_status_is_for_a_person(
    stack: Stack, agency: Organization, sandbox: Sandbox, box: LetterBox
) -> None:
    checkout = await open_checkout(stack, agency)
    itn = parse_itn((await pay(stack, sandbox, box, checkout))[1])
    said = [changed(payment_status=status)(itn, b"") for status in ("PENDING", "FAILED", "LAUGHING")]
    sandbox.faults("POST /payfast/eng/query/validate", {"kind": "status", "status": 200, "body": "VALID"}, repeat=True)

    assert await took(stack, *said) == []

    found = {row["payment_status"]: (row["state"], row["reason"]) for row in await payments(stack)}
    assert found == {
        "PENDING": ("rejected", "pending at PayFast: no money has moved"),
        "FAILED": ("rejected", "failed at PayFast: no money has moved"),
        "LAUGHING": ("needs_review", "PayFast sent it, with a status that we do not know: LAUGHING"),
    }
    assert [mail["subject"] for mail in sandbox.public("mail")] == ["A payment needs you"]
    assert (await books(stack))["organizations"] == 0

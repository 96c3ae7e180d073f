"""Charges put right for a period, and taken back."""

import time
from datetime import timedelta
from decimal import Decimal
from itertools import count

import pytest
from django.utils import timezone

from accounts.models import User
from billing.errors import CorrectionNotPossible, InvalidRequest, NotPermitted
from billing.kinds import EntryKind
from billing.models import AuditEntry, BillingCustomer, CreditBalance, LedgerEntry, PricingConfig
from billing.services.expiry import expire_lapsed_credits
from billing.services.journal import read_totals
from billing.services.posting import Posting, post
from billing.services.verification import find_ledger_faults
from billing.tests.ledger.factories import make_customer
from billing.tests.ledger.steps import balance_of, buy, give, grant_of
from billing.usage_cost import Tokens
from usage.models import Basis, CorrectedUsage, UsageCorrection, UsageEvent, UsageStatus
from usage.selectors import corrections as selectors
from usage.selectors.corrections import CorrectionTerms, preview_correction, sums_of_correction
from usage.services import corrections
from usage.services.calls import abandon_call, finish_call, open_call
from usage.services.corrections import apply_correction, finish_correction, read_terms, reverse_correction
from usage.tests.corrections import MODEL, call, make_price

pytestmark = pytest.mark.django_db
_names = count(1)


def terms_of(price: PricingConfig, *, model: str = MODEL) -> CorrectionTerms:
    now = timezone.now()
    return CorrectionTerms(model=model, since=now - timedelta(days=1), until=now + timedelta(minutes=1), price=price)


def correct(price: PricingConfig) -> UsageCorrection:
    correction = apply_correction(terms=terms_of(price), reason="Wrong price list", actor=None)
    assert correction is not None
    return correction


def posted(*customers: BillingCustomer) -> list[Decimal]:
    return [balance_of(customer).posted for customer in customers]


def assert_all_is_right() -> None:
    assert list(find_ledger_faults()) == []
    for currency in {"usd"}:
        balance = read_totals().trial_balance(currency=currency)
        assert sum(account.balance_minor for account in balance.values()) == 0


@pytest.fixture
def wrong() -> PricingConfig:
    """Ten times what it should be: 35 credits for each call."""
    return make_price(input_usd="0.025")


@pytest.fixture
def right(wrong: PricingConfig) -> PricingConfig:
    """3.5 credits for each call."""
    return make_price(model="the-right-price", input_usd="0.0025")


@pytest.fixture
def buyer() -> BillingCustomer:
    customer = make_customer()
    buy(customer, 1000)
    return customer


def test_preview_says_what_the_correction_then_moves(wrong: PricingConfig, right: PricingConfig) -> None:
    one, other, idle = make_customer(), make_customer(), make_customer()
    for customer in (one, other, idle):
        buy(customer, 1000)
    for _ in range(3):
        call(one)
    call(other)

    previewed = {change.customer_id: change for change in preview_correction(terms=terms_of(right))}
    before = posted(one, other, idle)
    correction = correct(right)

    assert previewed.keys() == {one.pk, other.pk}
    assert (previewed[one.pk].calls, previewed[one.pk].charged, previewed[one.pk].right) == (3, 105, Decimal("10.5"))
    assert previewed[one.pk].difference == Decimal("94.5")
    assert [after - was for after, was in zip(posted(one, other, idle), before, strict=True)] == [
        previewed[one.pk].difference,
        previewed[other.pk].difference,
        0,
    ]
    assert sums_of_correction(correction=correction).difference == 126
    assert correction.completed_at is not None
    assert_all_is_right()


def test_entries_name_the_call_that_they_correct(
    buyer: BillingCustomer, wrong: PricingConfig, right: PricingConfig
) -> None:
    event = call(buyer)

    correction = correct(right)

    row = CorrectedUsage.objects.get()
    assert (row.usage_event, row.amount, row.correction) == (event, Decimal("31.5"), correction)
    entry = row.entry
    assert (entry.kind, entry.amount, entry.corrects_id) == (EntryKind.USAGE_CORRECTION, row.amount, event.entry_id)
    assert entry.idempotency_key == f"correction:{correction.pk}:{event.pk}"
    assert (entry.source_type, entry.source_id) == ("usage_correction", correction.public_id)
    assert MODEL in entry.description


def test_a_correction_taken_back_leaves_balances_as_they_were(wrong: PricingConfig, right: PricingConfig) -> None:
    bought, mixed, spent = make_customer(), make_customer(), make_customer()
    buy(bought, 1000)
    give(mixed, 20)
    buy(mixed, 100)
    buy(spent, 35)
    for customer in (bought, mixed, spent):
        call(customer)
    before = posted(bought, mixed, spent)
    correction = correct(right)

    reversal = reverse_correction(correction=correction, reason="It was right", actor=None)

    assert posted(bought, mixed, spent) == before
    assert reversal.reverses == correction
    assert reversal.completed_at is not None
    assert {row.amount for row in reversal.corrected.all()} == {Decimal("-31.5")}
    assert_all_is_right()


def test_a_correction_that_took_is_taken_back_to_the_last_place(wrong: PricingConfig) -> None:
    customer = make_customer()
    give(customer, 10)
    buy(customer, 90)
    call(customer, input=1001, output=33)
    before = posted(customer)
    dearer = make_price(model="dearer", input_usd="0.031234567")

    correction = correct(dearer)
    taken = posted(customer)
    reverse_correction(correction=correction, reason="No", actor=None)

    assert taken < before
    assert posted(customer) == before
    assert_all_is_right()


def test_who_has_spent_all_is_left_with_a_debt(wrong: PricingConfig) -> None:
    customer = make_customer()
    buy(customer, 35)
    call(customer)

    correct(make_price(model="double", input_usd="0.05"))

    assert posted(customer) == [-35]
    assert_all_is_right()


def test_debt_of_a_correction_vanishes_with_its_reversal(wrong: PricingConfig) -> None:
    customer = make_customer()
    buy(customer, 35)
    call(customer)
    correction = correct(make_price(model="double", input_usd="0.05"))

    reverse_correction(correction=correction, reason="No", actor=None)

    assert posted(customer) == [0]
    assert_all_is_right()


def test_credits_that_have_lapsed_meanwhile_live_on_for_thirty_days(wrong: PricingConfig, right: PricingConfig) -> None:
    customer = make_customer()
    grant_entry = give(customer, 50, expires_at=timezone.now() + timedelta(seconds=1))
    call(customer)
    time.sleep(1.1)
    expire_lapsed_credits(now=timezone.now(), limit=100)
    assert posted(customer) == [0]

    correct(right)

    assert posted(customer) == [Decimal("31.5")]
    grant = grant_of(grant_entry)
    assert grant.expires_at is not None
    assert grant.expires_at > timezone.now() + timedelta(days=29)
    assert_all_is_right()


def test_the_same_correction_again_moves_nothing(
    buyer: BillingCustomer, wrong: PricingConfig, right: PricingConfig
) -> None:
    call(buyer)
    terms = terms_of(right)
    first = apply_correction(terms=terms, reason="Wrong price list", actor=None)
    after = posted(buyer)

    again = apply_correction(terms=terms, reason="Wrong price list", actor=None)

    assert first is not None
    assert again is None
    assert posted(buyer) == after
    assert UsageCorrection.objects.count() == 1


def test_a_second_correction_counts_from_what_the_first_made(buyer: BillingCustomer, wrong: PricingConfig) -> None:
    event = call(buyer)

    for name, usd, charged in (
        ("dear", "0.05", 70),
        ("cheap", "0.01", 14),
        ("dear again", "0.06", 84),
        ("nearly free", "0.000001", Decimal("0.0014")),
        ("as it was", "0.025", 35),
    ):
        correct(make_price(model=name.replace(" ", "-"), input_usd=usd))
        assert posted(buyer) == [1000 - Decimal(charged)], name

    assert event.corrections.count() == 5
    assert_all_is_right()


def test_a_call_that_cost_nothing_at_first_is_charged_and_given_back(buyer: BillingCustomer) -> None:
    make_price(input_usd="0")
    event = call(buyer)
    assert event.entry_id is None

    correct(make_price(model="one", input_usd="0.0025"))
    assert CorrectedUsage.objects.get().entry.corrects_id is None
    correct(make_price(model="two", input_usd="0.005"))
    third = correct(make_price(model="three", input_usd="0"))

    assert posted(buyer) == [1000]
    reverse_correction(correction=third, reason="No", actor=None)
    assert posted(buyer) == [993]
    assert_all_is_right()


def test_calls_of_others_times_and_failures_stay_as_they_are(
    buyer: BillingCustomer, wrong: PricingConfig, right: PricingConfig
) -> None:
    make_price(model="other", input_usd="0.025")
    call(buyer, model="other")
    opened = open_call(
        customer_id=buyer.pk, model=MODEL, input_tokens=10, max_tokens=10, event_id=f"own-call-{next(_names)}"
    )
    failed = abandon_call(call=opened, failure="upstream is down")
    old = call(buyer)
    terms = CorrectionTerms(model=MODEL, since=old.occurred_at - timedelta(days=9), until=old.occurred_at, price=right)

    with_request_price = make_price(model="per-request", request_usd="1", input_usd="0")
    failed_only = CorrectionTerms(
        model=MODEL,
        since=failed.occurred_at,
        until=failed.occurred_at + timedelta(microseconds=1),
        price=with_request_price,
    )

    assert apply_correction(terms=terms, reason="No", actor=None) is None
    assert apply_correction(terms=failed_only, reason="No", actor=None) is None
    assert failed.status == UsageStatus.FAILED


def test_what_staff_wrote_off_is_not_given_back(wrong: PricingConfig, right: PricingConfig) -> None:
    customer = make_customer()
    buy(customer, 5)
    event = call_into_debt(customer)
    assert posted(customer) == [-30]
    post(
        posting=Posting(
            customer_id=customer.pk, kind=EntryKind.WRITE_OFF, amount=Decimal(30), key="staff:x", description="Gone"
        )
    )

    previewed = list(preview_correction(terms=terms_of(right)))
    correct(right)

    assert previewed[0].difference == Decimal("1.5")
    assert posted(customer) == [Decimal("1.5")]
    assert apply_correction(terms=terms_of(right), reason="Again", actor=None) is None
    assert event.credits == 35
    assert_all_is_right()


def call_into_debt(customer: BillingCustomer) -> UsageEvent:
    """A call that held less than it cost in the end."""
    opened = open_call(
        customer_id=customer.pk, model=MODEL, input_tokens=100, max_tokens=10, event_id=f"own-call-{next(_names)}"
    )
    return finish_call(call=opened, tokens=Tokens(input=1000, output=100), basis=Basis.REPORTED)


def test_a_correction_that_broke_off_is_finished_by_the_same_request(
    buyer: BillingCustomer, wrong: PricingConfig, right: PricingConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = make_customer()
    buy(other, 1000)
    for customer in (buyer, other):
        for _ in range(3):
            call(customer)
    monkeypatch.setattr(selectors, "CALLS_PER_PAGE", 2)
    monkeypatch.setattr(corrections, "_move", _die_after(batches=1))
    terms = terms_of(right)

    with pytest.raises(KeyboardInterrupt):
        apply_correction(terms=terms, reason="Wrong price list", actor=None)
    broken = UsageCorrection.objects.get()
    assert (broken.completed_at, broken.corrected.count()) == (None, 2)
    monkeypatch.undo()
    finished = apply_correction(terms=terms, reason="Wrong price list", actor=None)

    assert finished == broken
    assert finished.completed_at is not None
    assert posted(buyer, other) == [Decimal("989.5")] * 2
    assert finished.corrected.count() == LedgerEntry.objects.filter(kind=EntryKind.USAGE_CORRECTION).count() == 6
    assert_all_is_right()


def test_a_reversal_that_broke_off_is_finished_by_the_same_request(
    buyer: BillingCustomer, wrong: PricingConfig, right: PricingConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        call(buyer)
    before = posted(buyer)
    correction = correct(right)
    monkeypatch.setattr(selectors, "CALLS_PER_PAGE", 2)
    monkeypatch.setattr(corrections, "_move", _die_after(batches=1))

    with pytest.raises(KeyboardInterrupt):
        reverse_correction(correction=correction, reason="No", actor=None)
    monkeypatch.undo()
    reversal = reverse_correction(correction=correction, reason="No", actor=None)

    assert reversal.corrected.count() == 3
    assert posted(buyer) == before
    assert reverse_correction(correction=correction, reason="No", actor=None) == reversal
    assert posted(buyer) == before


def _die_after(*, batches: int) -> object:
    real, done = corrections._move, count(1)

    def move(*arguments: object) -> None:
        if next(done) > batches:
            raise KeyboardInterrupt
        real(*arguments)  # type: ignore[arg-type]

    return move


def test_another_correction_of_the_model_waits_until_the_first_is_complete(
    buyer: BillingCustomer, wrong: PricingConfig, right: PricingConfig
) -> None:
    call(buyer)
    terms = terms_of(right)
    unfinished = UsageCorrection.objects.create(
        model=MODEL, since=terms.since - timedelta(days=1), until=terms.until, price=right, reason="Broke off"
    )

    with pytest.raises(CorrectionNotPossible, match=unfinished.public_id):
        apply_correction(terms=terms, reason="Another", actor=None)

    finish_correction(correction=unfinished)
    assert apply_correction(terms=terms, reason="Another", actor=None) is None


def test_only_the_last_correction_of_a_period_is_reversed(buyer: BillingCustomer, wrong: PricingConfig) -> None:
    call(buyer)
    before = posted(buyer)
    first = correct(make_price(model="dear", input_usd="0.05"))
    second = correct(make_price(model="cheap", input_usd="0.01"))

    with pytest.raises(CorrectionNotPossible, match=second.public_id):
        reverse_correction(correction=first, reason="No", actor=None)
    reversal = reverse_correction(correction=second, reason="No", actor=None)
    with pytest.raises(CorrectionNotPossible, match="correct the period again"):
        reverse_correction(correction=reversal, reason="No", actor=None)
    reverse_correction(correction=first, reason="No", actor=None)

    assert posted(buyer) == before
    assert_all_is_right()


def test_who_may_not_correct_is_refused(buyer: BillingCustomer, wrong: PricingConfig, right: PricingConfig) -> None:
    person = User.objects.create_user("support@example.com", is_staff=True)
    call(buyer)

    with pytest.raises(NotPermitted, match=r"usage\.correct_usage"):
        apply_correction(terms=terms_of(right), reason="Why not", actor=person)

    assert not UsageCorrection.objects.exists()


def test_a_correction_needs_a_reason(buyer: BillingCustomer, wrong: PricingConfig, right: PricingConfig) -> None:
    call(buyer)

    with pytest.raises(InvalidRequest, match="reason"):
        apply_correction(terms=terms_of(right), reason="  ", actor=None)


def test_both_are_in_the_audit_log(buyer: BillingCustomer, wrong: PricingConfig, right: PricingConfig) -> None:
    person = User.objects.create_superuser("owner@example.com")
    call(buyer)

    correction = apply_correction(terms=terms_of(right), reason="Wrong price list", actor=person, address="203.0.113.1")
    assert correction is not None
    reverse_correction(correction=correction, reason="It was right", actor=person)

    applied, reversed_ = AuditEntry.objects.order_by("pk")
    assert (applied.action, applied.actor, applied.reason) == ("usagecorrection.apply", person, "Wrong price list")
    assert (applied.after["calls"], applied.after["customers"], applied.after["credits"]) == (1, 1, "+31.5")
    assert (reversed_.action, reversed_.reason) == ("usagecorrection.reverse", "It was right")
    assert reversed_.after["reverses"] == correction.public_id


def test_terms_are_checked(wrong: PricingConfig) -> None:
    now = timezone.now()

    with pytest.raises(InvalidRequest, match="until"):
        read_terms(model=MODEL, since=now, until=now, price_id=None, now=now)
    with pytest.raises(InvalidRequest, match="price"):
        read_terms(model=MODEL, since=now - timedelta(days=1), until=now, price_id=10**6, now=now)
    assert read_terms(model=MODEL, since=now - timedelta(days=1), until=now, price_id=None, now=now).price == wrong


def test_a_frozen_customer_is_corrected_too(buyer: BillingCustomer, wrong: PricingConfig) -> None:
    call(buyer)
    CreditBalance.objects.filter(pk=buyer.pk).update(frozen_at=timezone.now(), frozen_reason="Disputed")

    correct(make_price(model="double", input_usd="0.05"))

    assert posted(buyer) == [930]

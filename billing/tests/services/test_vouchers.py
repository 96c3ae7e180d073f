"""Redeeming: credits once, each refusal, and guesses that have to wait."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
import time_machine
from allauth.account.models import EmailAddress
from django.utils import timezone
from pytest_django import Settings

from billing.errors import (
    BillingError,
    EmailNotVerified,
    IdempotencyConflict,
    OwnAccount,
    VoucherAlreadyRedeemed,
    VoucherExpired,
    VoucherGuessesExceeded,
    VoucherNotYetValid,
    VoucherUnknown,
    VoucherUsedUp,
)
from billing.kinds import EntryKind
from billing.ledger.verification import verify_ledger
from billing.models import BillingCustomer, CreditBalance, CreditGrant, VoucherCode, VoucherGuess, VoucherRedemption
from billing.services.customers import create_external_customer, ensure_customer
from billing.services.posting import Posting, post
from billing.services.voucher_batches import approve_vouchers, decline_vouchers, disable_vouchers
from billing.services.voucher_codes import ALPHABET, hash_code, new_code
from billing.services.voucher_guesses import purge_guesses
from billing.tests.shop import make_customer
from billing.tests.vouchers import make_batch, make_issuer, make_verified_customer, redeem

pytestmark = pytest.mark.django_db
UNKNOWN = "0000-0000-0000-0000"


@pytest.fixture
def visitor(db: None) -> BillingCustomer:
    return make_verified_customer()


def posted(customer: BillingCustomer) -> Decimal:
    return Decimal(CreditBalance.objects.get(customer=customer).posted)


class TestCodes:
    def test_codes_are_groups_of_letters_that_are_not_mistaken(self) -> None:
        codes = [new_code() for _ in range(200)]

        assert len(set(codes)) == 200
        assert all([len(group) for group in code.split("-")] == [4, 4, 4, 4] for code in codes)
        assert set("".join(codes)) - {"-"} <= set(ALPHABET)
        assert not set("ILOU") & set(ALPHABET)

    @pytest.mark.parametrize(
        "typed",
        [
            "01ab-cdef-ghjk-mnpq",
            " O1AB CDEF GHJK MNPQ ",
            "oiabcdefghjkmnpq",
            "0lab-cdef\u2013ghjk mnpq",
            "01AB.CDEF_GHJKMNPQ",
        ],
    )
    def test_what_people_type_is_the_code_they_mean(self, typed: str) -> None:
        assert hash_code(typed) == hash_code("01AB-CDEF-GHJK-MNPQ") != ""

    @pytest.mark.parametrize("typed", ["", "01AB", "01AB-CDEF-GHJK-MNPQ-R", "U1AB-CDEF-GHJK-MNPQ", "\0" * 16, "é" * 16])
    def test_what_cannot_be_a_code_has_no_hash(self, typed: str) -> None:
        assert hash_code(typed) == ""

    def test_only_the_hash_and_four_letters_are_kept(self) -> None:
        [code] = make_batch().codes

        stored = VoucherCode.objects.get()

        assert stored.code_hash == hash_code(code)
        assert stored.last_four == code[-4:]
        assert code.replace("-", "") not in str(VoucherCode.objects.values().get())


class TestRedeeming:
    def test_code_brings_its_credits_and_says_why(self, visitor: BillingCustomer) -> None:
        [code] = make_batch().codes

        redeemed = redeem(visitor, code.lower().replace("-", " "))

        entry = redeemed.redemption.entry
        assert (entry.kind, entry.amount, entry.description) == ("voucher", Decimal(50), "Spring")
        assert entry.idempotency_key == f"voucher:{redeemed.redemption.public_id}"
        assert posted(visitor) == 50
        assert VoucherCode.objects.get().uses_left == 0
        assert list(verify_ledger()) == []

    def test_credits_expire_after_their_days(self, visitor: BillingCustomer) -> None:
        [code] = make_batch(lifetime_days=30).codes

        redeemed = redeem(visitor, code)

        assert CreditGrant.objects.get().expires_at == redeemed.redemption.redeemed_at + timedelta(days=30)

    def test_credits_expire_at_their_moment(self, visitor: BillingCustomer) -> None:
        end = timezone.now() + timedelta(days=3)
        [code] = make_batch(credits_expire_at=end).codes

        redeem(visitor, code)

        assert CreditGrant.objects.get().expires_at == end

    def test_same_request_again_gives_the_first_use(self, visitor: BillingCustomer) -> None:
        [code] = make_batch(uses_per_code=5, uses_per_customer=5).codes

        first, again = redeem(visitor, code, key="one"), redeem(visitor, code, key="one")

        assert (first.is_replay, again.is_replay) == (False, True)
        assert again.redemption == first.redemption
        assert posted(visitor) == 50

    def test_same_request_for_another_code_is_a_conflict(self, visitor: BillingCustomer) -> None:
        first, second = make_batch(code_count=2).codes
        redeem(visitor, first, key="one")

        with pytest.raises(IdempotencyConflict):
            redeem(visitor, second, key="one")

    def test_customer_uses_a_code_as_often_as_its_terms_say(self, visitor: BillingCustomer) -> None:
        [code] = make_batch(uses_per_code=5, uses_per_customer=2).codes

        numbers = [redeem(visitor, code).redemption.number for _ in range(2)]
        with pytest.raises(VoucherAlreadyRedeemed) as refusal:
            redeem(visitor, code)

        assert numbers == [1, 2]
        assert refusal.value.redeemed_at == VoucherRedemption.objects.latest("number").redeemed_at
        assert posted(visitor) == 100
        assert VoucherCode.objects.get().uses_left == 3
        assert not VoucherGuess.objects.exists()

    def test_debt_is_covered_first(self, visitor: BillingCustomer) -> None:
        CreditBalance.objects.filter(customer=visitor).update(overdraft_limit=30)
        post(posting=Posting(customer_id=visitor.pk, kind=EntryKind.USAGE, amount=Decimal(-20), key="test:use"))
        [code] = make_batch().codes

        redeem(visitor, code)

        assert posted(visitor) == 30
        assert CreditGrant.objects.get().remaining == 30
        assert list(verify_ledger()) == []


class TestRefusals:
    def refused(self, customer: BillingCustomer, code: str, kind: type[BillingError]) -> None:
        with pytest.raises(kind):
            redeem(customer, code)
        assert posted(customer) == 0
        assert not VoucherRedemption.objects.exists()

    def test_unknown(self, visitor: BillingCustomer) -> None:
        self.refused(visitor, UNKNOWN, VoucherUnknown)

    def test_not_yet_valid(self, visitor: BillingCustomer) -> None:
        begin = timezone.now() + timedelta(hours=1)
        [code] = make_batch(valid_from=begin).codes

        self.refused(visitor, code, VoucherNotYetValid)
        with time_machine.travel(begin, tick=False):
            redeem(visitor, code)

    def test_expired(self, visitor: BillingCustomer) -> None:
        end = timezone.now() + timedelta(hours=1)
        [code] = make_batch(valid_until=end).codes

        with time_machine.travel(end, tick=False):
            self.refused(visitor, code, VoucherExpired)
        with time_machine.travel(end - timedelta(seconds=1), tick=False):
            redeem(visitor, code)

    def test_credits_that_would_be_lapsed_are_not_given(self, visitor: BillingCustomer) -> None:
        end = timezone.now() + timedelta(hours=1)
        [code] = make_batch(credits_expire_at=end).codes

        with time_machine.travel(end, tick=False):
            self.refused(visitor, code, VoucherExpired)

    def test_used_up_by_others(self, visitor: BillingCustomer) -> None:
        [code] = make_batch().codes
        redeem(make_verified_customer(), code)

        with pytest.raises(VoucherUsedUp):
            redeem(visitor, code)

        assert posted(visitor) == 0

    def test_used_by_you(self, visitor: BillingCustomer) -> None:
        [code] = make_batch().codes
        redeem(visitor, code)

        with pytest.raises(VoucherAlreadyRedeemed):
            redeem(visitor, code)

        assert posted(visitor) == 50

    def test_not_verified(self) -> None:
        [code] = make_batch().codes
        stranger = make_customer()
        assert stranger.user is not None
        EmailAddress.objects.create(user=stranger.user, email=stranger.user.email, primary=True, verified=False)

        self.refused(stranger, code, EmailNotVerified)

    def test_customer_without_a_user(self) -> None:
        [code] = make_batch().codes
        external, _ = create_external_customer(external_id="acme", email="acme@example.com")

        self.refused(external, code, EmailNotVerified)

    def test_who_made_or_approved_it(self) -> None:
        maker, approver = make_issuer(), make_issuer("approve_credits")
        made = make_batch(actor=maker, credits=Decimal(100_000))
        approve_vouchers(batch_id=made.batch.public_id, actor=approver, address="203.0.113.7")
        for person in (maker, approver):
            EmailAddress.objects.create(user=person, email=person.email, primary=True, verified=True)

            self.refused(ensure_customer(user=person), made.codes[0], OwnAccount)

    def test_waiting_declined_and_disabled_ones_are_unknown(self, visitor: BillingCustomer) -> None:
        approver = make_issuer("approve_credits")
        waiting, declined = make_batch(credits=Decimal(100_000)), make_batch(credits=Decimal(100_000))
        decline_vouchers(batch_id=declined.batch.public_id, actor=approver, address="", note="Too much")
        disabled = make_batch()
        disable_vouchers(batch_id=disabled.batch.public_id, actor=approver, address="", reason="Leaked")

        for made in (waiting, declined, disabled):
            self.refused(visitor, made.codes[0], VoucherUnknown)


class TestGuessing:
    def test_customer_has_to_wait_after_ten_wrong_codes(self, visitor: BillingCustomer) -> None:
        [code] = make_batch().codes
        with time_machine.travel(timezone.now(), tick=False) as clock:
            for _ in range(10):
                with pytest.raises(VoucherUnknown):
                    redeem(visitor, UNKNOWN)
                clock.shift(60)

            with pytest.raises(VoucherGuessesExceeded) as refusal:
                redeem(visitor, code)  # not even a right one is looked at
            assert refusal.value.retry_after_seconds == 3600 - 600
            clock.shift(refusal.value.retry_after_seconds)
            redeem(visitor, code)

        assert posted(visitor) == 50

    def test_address_has_to_wait_whoever_asks(self, visitor: BillingCustomer) -> None:
        VoucherGuess.objects.bulk_create(
            VoucherGuess(customer=make_verified_customer(), network_hash="n" * 64, guessed_at=timezone.now())
            for _ in range(99)
        )
        with pytest.raises(VoucherUnknown):  # ten customers behind one address may mistype ten times each
            redeem(make_verified_customer(), UNKNOWN, network_hash="n" * 64)

        with pytest.raises(VoucherGuessesExceeded):
            redeem(visitor, UNKNOWN, network_hash="n" * 64)
        with pytest.raises(VoucherUnknown):
            redeem(visitor, UNKNOWN, network_hash="m" * 64)

    def test_every_answer_about_a_code_counts(self, visitor: BillingCustomer) -> None:
        [used] = make_batch().codes
        redeem(make_verified_customer(), used)
        [later] = make_batch(valid_from=timezone.now() + timedelta(days=1)).codes

        for code in (used, later, UNKNOWN, "no code at all"):
            with pytest.raises(BillingError):
                redeem(visitor, code)

        assert VoucherGuess.objects.filter(customer=visitor).count() == 4

    def test_zero_is_no_limit(self, visitor: BillingCustomer, settings: Settings) -> None:
        settings.VOUCHER_GUESSES_PER_HOUR = 0

        for _ in range(12):
            with pytest.raises(VoucherUnknown):
                redeem(visitor, UNKNOWN)

    def test_a_replay_costs_no_try(self, visitor: BillingCustomer) -> None:
        [code] = make_batch().codes
        redeem(visitor, code, key="one")
        for _ in range(10):
            with pytest.raises(VoucherUnknown):
                redeem(visitor, UNKNOWN)

        assert redeem(visitor, code, key="one").is_replay

    def test_old_tries_are_deleted(self, visitor: BillingCustomer) -> None:
        with pytest.raises(VoucherUnknown):
            redeem(visitor, UNKNOWN)

        assert purge_guesses(now=timezone.now()) == 0
        assert purge_guesses(now=timezone.now() + timedelta(hours=1)) == 1

"""Redeem a voucher: its credits, once."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from django.db import transaction
from django.utils import timezone

from accounts.addresses import list_verified_addresses
from billing.errors import (
    BillingError,
    EmailNotVerified,
    IdempotencyConflict,
    OwnAccount,
    VoucherAlreadyRedeemed,
    VoucherExpired,
    VoucherNotYetValid,
    VoucherUnknown,
    VoucherUsedUp,
)
from billing.kinds import EntryKind
from billing.ledger.posting import post_entries
from billing.ledger.shapes import Posting
from billing.models import BillingCustomer, VoucherBatch, VoucherBatchState, VoucherCode, VoucherRedemption
from billing.models.voucher import new_redemption_id
from billing.services.voucher_codes import hash_code
from billing.services.voucher_guesses import check_guesses, lock_guessers, record_guess

SOURCE_TYPE = "voucher"
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Redeemed:
    """A use of a voucher, and whether the same request had made it before."""

    redemption: VoucherRedemption
    is_replay: bool


def redeem_voucher(*, customer: BillingCustomer, code: str, request_key: str, network_hash: str) -> Redeemed:
    """Give a verified user the credits of a code, as it is typed. `request_key` names the intent: sent again, it gives
    the first use and adds nothing.

    `network_hash` stands for the caller's address in the limit on wrong codes; empty where there is none.

    Raises:
        EmailNotVerified: the customer has no user with a verified address.
        VoucherGuessesExceeded: too many codes brought nothing lately; this one was not looked at.
        VoucherUnknown, VoucherNotYetValid, VoucherExpired, VoucherUsedUp: the code brings nothing (now).
        VoucherAlreadyRedeemed: the customer has had it.
        OwnAccount: the customer is who made or approved it.
        IdempotencyConflict: the request key was used for another code.
    """
    if customer.user_id is None or not list_verified_addresses(user_id=customer.user_id):
        raise EmailNotVerified
    code_hash = hash_code(code)
    with transaction.atomic(durable=True):  # a refusal is counted, so it is raised after the commit
        lock_guessers(customer_id=customer.pk, network_hash=network_hash)
        known = VoucherRedemption.objects.filter(customer=customer, request_key=request_key)
        if first := known.select_related("code__batch", "entry").first():
            if first.code.code_hash != code_hash:
                raise IdempotencyConflict(key=request_key)
            return Redeemed(redemption=first, is_replay=True)
        check_guesses(customer_id=customer.pk, network_hash=network_hash, now=timezone.now())
        outcome = _redeem(customer=customer, code_hash=code_hash, request_key=request_key)
        if isinstance(outcome, BillingError) and not isinstance(outcome, VoucherAlreadyRedeemed | OwnAccount):
            record_guess(customer_id=customer.pk, network_hash=network_hash, now=timezone.now())
    if isinstance(outcome, BillingError):
        log.info("voucher_refused", customer_id=customer.pk, reason=outcome.code)
        raise outcome
    log.info("voucher_redeemed", customer_id=customer.pk, redemption=outcome.public_id)
    return Redeemed(redemption=outcome, is_replay=False)


def _redeem(*, customer: BillingCustomer, code_hash: str, request_key: str) -> VoucherRedemption | BillingError:
    """Lock the voucher, judge it, post its credits; or why not."""
    voucher = VoucherCode.objects.select_for_update().filter(code_hash=code_hash).first()
    if voucher is None:
        return VoucherUnknown()
    now, batch = timezone.now(), voucher.batch  # both read after the lock
    used = VoucherRedemption.objects.filter(code=voucher, customer=customer)
    times_used = used.count()
    if refusal := find_refusal(batch=batch, voucher=voucher, customer=customer, now=now):
        return refusal
    if times_used >= batch.uses_per_customer:
        return VoucherAlreadyRedeemed(redeemed_at=used.latest("number").redeemed_at)
    if not voucher.uses_left:
        return VoucherUsedUp()
    public_id = new_redemption_id()
    (posted,) = post_entries(postings=[_posting(batch, customer_id=customer.pk, redemption_id=public_id, now=now)])
    voucher.uses_left -= 1
    voucher.save(update_fields=["uses_left"])
    return VoucherRedemption.objects.create(
        public_id=public_id,
        code=voucher,
        customer=customer,
        number=times_used + 1,
        request_key=request_key,
        entry=posted.entry,
        redeemed_at=now,
    )


def find_refusal(
    *, batch: VoucherBatch, voucher: VoucherCode, customer: BillingCustomer, now: datetime
) -> BillingError | None:
    """Why a code brings nothing to anybody now, or nothing to this customer ever; None where uses decide.

    What staff have not approved, or have ended, is as unknown as what was never made.
    """
    if batch.state != VoucherBatchState.ACTIVE:
        return VoucherUnknown()
    if customer.user_id in (batch.requested_by_id, batch.approved_by_id):
        return OwnAccount()
    if now < batch.valid_from:
        return VoucherNotYetValid(valid_from=batch.valid_from)
    if any(end is not None and end <= now for end in (batch.valid_until, batch.credits_expire_at)):
        return VoucherExpired()
    return None


def _posting(batch: VoucherBatch, *, customer_id: int, redemption_id: str, now: datetime) -> Posting:
    days = batch.lifetime_days
    return Posting(
        customer_id=customer_id,
        kind=EntryKind.VOUCHER,
        amount=batch.credits,
        key=f"voucher:{redemption_id}",
        description=batch.name,
        source_type=SOURCE_TYPE,
        source_id=redemption_id,
        occurred_at=now,
        expires_at=batch.credits_expire_at if days is None else now + timedelta(days=days),
    )

"""Charges put right for a period in which a price was wrong, and taken back where that was wrong.

    apply_correction     the calls of a model in a period are charged as a version of the price says
    reverse_correction   everything that a correction moved moves back

Both post one compensating entry for each call that changes, in batches, each with its rows in one database transaction.
A process that dies in between leaves a correction that is not complete; the same request goes on with it. Of one model
only one is at work at a time. A call is never corrected twice by one correction, whoever runs it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db import connection, transaction
from django.utils import timezone

from accounts.models import User
from billing.errors import CorrectionNotPossible, InvalidRequest, NotPermitted
from billing.kinds import EntryKind
from billing.models import PricingConfig
from billing.money import ZERO, format_credits
from billing.selectors.prices import find_price
from billing.services.audit import record_audit
from billing.services.posting import Posting, post_many
from usage.models import CorrectedUsage, UsageCorrection
from usage.selectors.corrections import (
    CallChange,
    CorrectionSums,
    CorrectionTerms,
    changes_of_calls,
    later_correction,
    pages_of_calls,
    pages_of_corrected,
    preview_correction,
    sums_of_correction,
    takings_of,
    written_off,
)

MAY_CORRECT = "usage.correct_usage"
SOURCE_TYPE = "usage_correction"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Movement:
    """Credits to move for one call."""

    event_id: int
    customer_id: int
    amount: Decimal
    corrects_id: int | None
    on_top_ids: tuple[int, ...]


def read_terms(*, model: str, since: datetime, until: datetime, price_id: int | None, now: datetime) -> CorrectionTerms:
    """The terms of a correction, checked; without a version of the price, the one that holds for the model now.

    Raises:
        InvalidRequest: the period ends before it begins, or there is no such version.
        UnknownModel: no version is given, and the model has none that holds now.
    """
    if since >= until:
        raise InvalidRequest(field="until", fault="it is not after since", remedy="Give a period: since, then until.")
    if price_id is None:
        price = find_price(model=model, at=now)
    else:
        found = PricingConfig.objects.filter(pk=price_id).first()
        if found is None:
            raise InvalidRequest(
                field="price",
                fault=f"there is no version {price_id} of a model's price",
                remedy="Take an id of the list of model prices.",
            )
        price = found
    return CorrectionTerms(model=model, since=since, until=until, price=price)


def sum_up(*, terms: CorrectionTerms) -> CorrectionSums:
    """What the correction would move in all; writes nothing."""
    sums = CorrectionSums()
    for change in preview_correction(terms=terms):
        sums.add(change)
    return sums


def apply_correction(
    *, terms: CorrectionTerms, reason: str, actor: User | None, address: str = ""
) -> UsageCorrection | None:
    """Charge the calls as the terms say; gives the completed correction, None where every call is right already.

    Call outside a database transaction: each batch is one. The same terms again go on with what broke off.

    Raises:
        NotPermitted: the member of staff may not.
        InvalidRequest: there is no reason.
        CorrectionNotPossible: another correction of this model is not complete.
    """
    _check_may(actor=actor, reason=reason)
    sums = sum_up(terms=terms)
    with transaction.atomic():
        correction = _unfinished(model=terms.model)
        if correction is not None and _terms_of(correction) != (terms.since, terms.until, terms.price.pk):
            raise CorrectionNotPossible(fault=f"{correction.public_id} of this model is not complete; finish it first")
        if correction is None:
            if not sums.changed_calls:
                return None
            correction = UsageCorrection.objects.create(
                model=terms.model,
                since=terms.since,
                until=terms.until,
                price=terms.price,
                reason=reason,
                actor=actor,
            )
            _write_down(correction, "apply", sums=sums, reason=reason, actor=actor, address=address)
    return finish_correction(correction=correction)


def reverse_correction(
    *, correction: UsageCorrection, reason: str, actor: User | None, address: str = ""
) -> UsageCorrection:
    """Move back all that a correction moved; gives the reversal, the first one where it was reversed before.

    Raises:
        NotPermitted, InvalidRequest: like `apply_correction`.
        CorrectionNotPossible: it is a reversal itself, is not complete, or a later one builds on it.
    """
    _check_may(actor=actor, reason=reason)
    with transaction.atomic():
        unfinished = _unfinished(model=correction.model)
        reversal = UsageCorrection.objects.filter(reverses=correction).first()
        if reversal is None:
            _check_reversible(correction, unfinished=unfinished)
            reversal = UsageCorrection.objects.create(
                model=correction.model,
                since=correction.since,
                until=correction.until,
                reverses=correction,
                reason=reason,
                actor=actor,
            )
            sums = sums_of_correction(correction=correction)
            _write_down(reversal, "reverse", sums=sums, reason=reason, actor=actor, address=address)
    return finish_correction(correction=reversal)


def finish_correction(*, correction: UsageCorrection) -> UsageCorrection:
    """Move what a correction has not moved yet, batch by batch; nothing where it is complete."""
    if correction.completed_at is not None:
        return correction
    if correction.reverses is not None:
        _take_back(correction, reversed_one=correction.reverses)
    elif correction.price is not None:
        _put_right(correction, price=correction.price)
    with transaction.atomic():
        locked = _lock(correction)
        locked.completed_at = locked.completed_at or timezone.now()
        locked.save(update_fields=["completed_at"])
    return locked


def _put_right(correction: UsageCorrection, *, price: PricingConfig) -> None:
    terms = CorrectionTerms(model=correction.model, since=correction.since, until=correction.until, price=price)
    for page in pages_of_calls(terms=terms):
        with transaction.atomic(durable=True):
            _lock(correction)  # what the calls have cost so far is read after it
            _move(correction, [_movement(change) for change in changes_of_calls(events=page, price=price)])


def _take_back(correction: UsageCorrection, *, reversed_one: UsageCorrection) -> None:
    for page in pages_of_corrected(correction=reversed_one):
        with transaction.atomic(durable=True):
            _lock(correction)
            done = CorrectedUsage.objects.filter(
                correction=correction, usage_event__in=[row.usage_event_id for row in page]
            )
            known = set(done.values_list("usage_event_id", flat=True))
            taking = takings_of(event_ids=[row.usage_event_id for row in page])
            forgiven = written_off(entry_ids=[entry_id for ids in taking.values() for entry_id in ids])
            rows = [row for row in page if row.usage_event_id not in known]
            _move(correction, [_opposite(row, taking.get(row.usage_event_id, []), forgiven) for row in rows])


def _movement(change: CallChange) -> _Movement:
    return _Movement(
        event_id=change.event.pk,
        customer_id=change.event.customer_id,
        amount=change.difference,
        corrects_id=change.corrects_id,
        on_top_ids=change.on_top_ids,
    )


def _opposite(row: CorrectedUsage, taking: Sequence[int], forgiven: Mapping[int, Decimal]) -> _Movement:
    """What was given back is taken; what was taken comes back, but for what staff have written off of it since.

    `taking`: the entries of all corrections that charged more for the call, oldest first.
    """
    event = row.usage_event
    amount, root = -row.amount, event.entry_id or (taking[0] if taking else None)
    if amount > 0:
        amount -= sum((forgiven.get(entry_id, ZERO) for entry_id in taking if entry_id >= row.entry_id), ZERO)
        amount = max(ZERO, amount)
    return _Movement(
        event_id=event.pk,
        customer_id=event.customer_id,
        amount=amount,
        corrects_id=root,
        on_top_ids=tuple(entry_id for entry_id in taking if entry_id != root),
    )


def _move(correction: UsageCorrection, movements: Sequence[_Movement]) -> None:
    """Post an entry for each movement, and write down which call it is for."""
    due = [movement for movement in movements if movement.amount]
    outcomes = post_many(postings=[_posting(correction, movement) for movement in due])
    CorrectedUsage.objects.bulk_create(
        CorrectedUsage(
            correction=correction,
            usage_event_id=movement.event_id,
            amount=movement.amount,
            entry=outcome.entry,
        )
        for movement, outcome in zip(due, outcomes, strict=True)
    )


def _posting(correction: UsageCorrection, movement: _Movement) -> Posting:
    """The work is done, so what it should have cost is taken even where it leaves a debt."""
    verb = "Correction taken back" if correction.reverses_id else "Price corrected"
    return Posting(
        customer_id=movement.customer_id,
        kind=EntryKind.USAGE_CORRECTION,
        amount=movement.amount,
        key=f"correction:{correction.pk}:{movement.event_id}",
        description=f"{verb}: {correction.model}",
        corrects_id=movement.corrects_id,
        on_top_ids=movement.on_top_ids,
        source_type=SOURCE_TYPE,
        source_id=correction.public_id,
        may_leave_debt=movement.amount < 0,
    )


def _lock(correction: UsageCorrection) -> UsageCorrection:
    return UsageCorrection.objects.select_for_update(of=("self",)).get(pk=correction.pk)


def _unfinished(*, model: str) -> UsageCorrection | None:
    """The correction of the model that is not complete; nobody else starts one until this database transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"usage_correction:{model}"])
    return UsageCorrection.objects.filter(model=model, completed_at__isnull=True).order_by("pk").first()


def _terms_of(correction: UsageCorrection) -> tuple[datetime, datetime, int | None]:
    return correction.since, correction.until, correction.price_id


def _check_may(*, actor: User | None, reason: str) -> None:
    if actor is not None and not actor.has_perm(MAY_CORRECT):
        raise NotPermitted(permission=MAY_CORRECT)
    if not reason.strip():
        raise InvalidRequest(field="reason", fault="it is empty", remedy="Say why; it is kept with the change.")


def _check_reversible(correction: UsageCorrection, *, unfinished: UsageCorrection | None) -> None:
    if correction.reverses_id is not None:
        raise CorrectionNotPossible(fault="a reversal is not reversed; correct the period again")
    if unfinished is not None:
        raise CorrectionNotPossible(fault=f"{unfinished.public_id} of this model is not complete; finish it first")
    if (later := later_correction(correction=correction)) is not None:
        raise CorrectionNotPossible(fault=f"{later.public_id} counts from what it made; reverse that one first")


def _write_down(
    correction: UsageCorrection, verb: str, *, sums: CorrectionSums, reason: str, actor: User | None, address: str
) -> None:
    after = {
        "model": correction.model,
        "since": correction.since.isoformat(),
        "until": correction.until.isoformat(),
        "price": str(correction.price) if correction.price else "",
        "reverses": correction.reverses.public_id if correction.reverses else "",
        "customers": sums.customers,
        "calls": sums.changed_calls,
        "credits": format_credits(sums.difference if verb == "apply" else -sums.difference, signed=True),
    }
    record_audit(
        actor=actor,
        action=f"usagecorrection.{verb}",
        target=correction,
        after={name: value for name, value in after.items() if value != ""},
        reason=reason,
        address=address,
    )

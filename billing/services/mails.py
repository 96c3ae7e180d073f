"""The outbox of mails: what is to be sent to whom. `mail_sending.py` sends it."""

from collections.abc import Sequence
from decimal import Decimal

from django.db import transaction
from django.utils import timezone

from accounts.addresses import list_verified_addresses
from accounts.models import User
from billing import wake
from billing.models import BillingCustomer, MailState, Notice, NotificationPreferences, OutgoingMail
from billing.notice_kinds import MAIL_RULES, NoticeEvent
from billing.services.audit import record_audit
from billing.services.mail_texts.registry import has_mail


def plan_mails(notice: Notice) -> None:
    """Write the mail of a notice, where the event has one and the customer wants it. An expander of notices.

    Only somebody with a verified address here is written to: customers of the product that bills through us are told
    by that product, which gets the webhook.
    """
    if not has_mail(notice) and not _stands_in(notice):
        return
    customer = BillingCustomer.objects.get(pk=notice.customer_id)
    addresses = list_verified_addresses(user_id=customer.user_id) if customer.user_id else []
    if not addresses or is_switched_off(customer_id=customer.pk, event=NoticeEvent(notice.event)):
        return
    OutgoingMail.objects.get_or_create(
        notice=notice,
        to=addresses[0],
        defaults={"customer": customer, "kind": notice.event, "next_try_at": timezone.now()},
    )
    transaction.on_commit(_wake_sending)


def _stands_in(notice: Notice) -> bool:
    """Whether a low balance is told of because the same fall went to zero, and of that the customer wants no mail."""
    if notice.event != NoticeEvent.BALANCE_LOW or Decimal(notice.payload["posted"]) != 0:
        return False
    return is_switched_off(customer_id=notice.customer_id, event=NoticeEvent.BALANCE_DEPLETED)


def queue_mail(
    *, to: Sequence[str], kind: str, subject: str, text: str, customer: BillingCustomer | None = None
) -> None:
    """Put a plain mail with words of its own into the outbox, one row for each address.

    Call inside the database transaction of what it tells of: it is sent if that is committed, and only then.

    Raises:
        RuntimeError: no database transaction is open.
    """
    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError("Queue a mail in the database transaction of what it tells of.")
    now = timezone.now()
    OutgoingMail.objects.bulk_create(
        [
            OutgoingMail(customer=customer, to=address, kind=kind, subject=subject[:300], text=text, next_try_at=now)
            for address in to
        ]
    )
    transaction.on_commit(_wake_sending)


def send_again(*, mail_id: str, actor: User, reason: str, address: str) -> bool:
    """Put a dead mail back to its first try, by a member of staff; whether it was dead."""
    with transaction.atomic():
        mail = OutgoingMail.objects.select_for_update(of=("self",)).get(public_id=mail_id)
        if mail.state != MailState.DEAD:
            return False
        before = {"state": mail.state, "tries": mail.tries, "last_error": mail.last_error}
        mail.state, mail.tries, mail.next_try_at = MailState.PENDING, 0, timezone.now()
        mail.save(update_fields=["state", "tries", "next_try_at"])
        record_audit(
            actor=actor,
            action="mail.send_again",
            target=mail,
            before=before,
            after={"state": mail.state},
            reason=reason,
            address=address,
            customer=mail.customer,
        )
        transaction.on_commit(_wake_sending)
    return True


def is_switched_off(*, customer_id: int, event: NoticeEvent) -> bool:
    """Whether the customer wants no mails of an event; never so for money and security."""
    if not MAIL_RULES[event].can_be_switched_off:
        return False
    return NotificationPreferences.objects.filter(pk=customer_id, switched_off__contains=[event.value]).exists()


def _wake_sending() -> None:
    wake.wake_task(name=wake.SEND_MAILS)

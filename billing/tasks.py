"""Celery tasks: thin doors. Whatever moves credits, the sweeper would do a little later anyway."""

from contextlib import suppress
from datetime import datetime

from celery import shared_task
from django.utils import timezone

from accounts.models import User
from billing import wake
from billing.errors import StripeUnavailable
from billing.models import EventState, Payment, StripeEvent
from billing.services.books_report import add_up_books
from billing.services.catalog import sync_catalog
from billing.services.expiring import announce_expiring_credits
from billing.services.free_plan import grant_free_plan
from billing.services.gateway import configured_gateway
from billing.services.idempotent_answers import purge_old_answers
from billing.services.mail_sending import send_due_mails
from billing.services.notice_expansion import expand_due_notices
from billing.services.receipts import fetch_missing_receipts, fetch_receipt
from billing.services.reconciliation.schedule import (
    FULL,
    RECENT,
    reconcile_for_staff,
    reconcile_on_schedule,
    verify_on_schedule,
)
from billing.services.redaction import redact_old_events
from billing.services.refund_sending import send_due_refunds
from billing.services.staff_alarms import watch_alarms
from billing.services.top_ups.cards import save_card_of, save_missing_cards
from billing.services.top_ups.deciding import pause_what_changed
from billing.services.top_ups.running import run_due_top_ups, run_top_up
from billing.services.webhook_messages import purge_old_deliveries
from billing.services.webhook_sending import WORKER_SECONDS, send_due_deliveries
from billing.webhooks.catching_up import inbox_of
from billing.webhooks.inbox import work_off_due_events, work_off_event


@shared_task(name=wake.WORK_OFF_EVENT)
def work_off_stored_event(event_id: str) -> None:
    """Work off one event that was just stored; then, the credits being safe, fetch the receipt."""
    gateway = configured_gateway()
    if work_off_event(event_id=event_id, gateway=gateway) is EventState.DONE:
        paid = StripeEvent.objects.filter(event_id=event_id, type="payment_intent.succeeded")
        with suppress(StripeUnavailable):  # the schedule asks again
            for payment_intent_id in paid.values_list("object_id", flat=True):
                fetch_receipt(payment_intent_id=payment_intent_id, gateway=gateway)
                for payment in Payment.objects.filter(payment_intent_id=payment_intent_id, saves_card=True):
                    save_card_of(payment=payment, gateway=gateway)


@shared_task(name="billing.work_off_inbox")
def work_off_inbox() -> int:
    """Work off all events that are due; gives how many."""
    return work_off_due_events(gateway=configured_gateway())


@shared_task(name="billing.fetch_receipts")
def fetch_receipts() -> int:
    """Fetch receipts that were missed; gives how many."""
    return fetch_missing_receipts(gateway=configured_gateway(), now=timezone.now())


@shared_task(name="billing.send_refunds")
def send_refunds() -> int:
    """Send refunds of staff that were left unsent or unanswered; gives how many have an answer now."""
    return send_due_refunds(gateway=configured_gateway(), now=timezone.now())


@shared_task(name=wake.EXPAND_NOTICES)
def expand_notices() -> int:
    """Write what is to be sent for new notices; gives how many notices those were."""
    return expand_due_notices()


@shared_task(name=wake.SEND_WEBHOOKS)
def send_webhooks() -> int:
    """Send webhooks that are due; gives how many were tried."""
    return send_due_deliveries(seconds=WORKER_SECONDS)


@shared_task(name="billing.watch_alarms")
def watch_alarms_of_staff() -> int:
    """Raise and end alarms of staff; gives how many."""
    return watch_alarms(now=timezone.now())


@shared_task(name="billing.purge_deliveries", soft_time_limit=3600, time_limit=3660)
def purge_deliveries() -> int:
    """Delete webhooks that ended long ago; gives how many."""
    return purge_old_deliveries(now=timezone.now())


@shared_task(name=wake.TOP_UP)
def top_up(customer_id: int) -> bool:
    """Decide about the top-up that a customer's spending has just asked for, and charge it."""
    return run_top_up(customer_id=customer_id, gateway=configured_gateway())


@shared_task(name="billing.look_after_top_ups")
def look_after_top_ups() -> int:
    """Do what is due for automatic top-ups: changed packs, cards to remember, charges, unknown outcomes."""
    gateway, now = configured_gateway(), timezone.now()
    paused, saved = pause_what_changed(), save_missing_cards(gateway=gateway, now=now)
    return paused + saved + run_due_top_ups(gateway=gateway, now=now)


@shared_task(name=wake.SEND_MAILS)
def send_mails() -> int:
    """Send the mails that are due; gives how many."""
    return send_due_mails()


@shared_task(name="billing.announce_expiring")
def announce_expiring() -> int:
    """Tell in time of credits that lapse; gives how many notices."""
    return announce_expiring_credits(now=timezone.now())


@shared_task(name="billing.redact_events", soft_time_limit=3600, time_limit=3660)
def redact_events() -> int:
    """Take names, addresses and e-mail out of old webhooks; gives how many."""
    return redact_old_events(now=timezone.now())


@shared_task(name="billing.purge_answers", soft_time_limit=3600, time_limit=3660)
def purge_answers() -> int:
    """Delete answers of the API that nobody replays any more; gives how many."""
    return purge_old_answers(now=timezone.now())


@shared_task(name="billing.grant_free_plan", soft_time_limit=3300, time_limit=3360)
def grant_free_credits() -> int:
    """Give this month's free credits to whom they are due and who has not had them; gives how many."""
    return grant_free_plan(now=timezone.now()).granted


@shared_task(name=wake.ADD_UP_BOOKS)
def add_up_the_books() -> None:
    """Add up the books for the report of staff, which is too much to do while somebody waits."""
    add_up_books()


@shared_task(name=wake.SYNC_CATALOG)
def sync_stripe_catalog() -> int:
    """Give packs that staff have changed their prices at Stripe; gives the number of steps."""
    return sum(1 for _ in sync_catalog(gateway=configured_gateway()))


@shared_task(name="billing.reconcile_recent", soft_time_limit=840, time_limit=870)
def reconcile_recent() -> None:
    """Compare the last two days with Stripe, and repair."""
    gateway = configured_gateway()
    reconcile_on_schedule(span=RECENT, gateway=gateway, inbox=inbox_of(gateway))


@shared_task(name="billing.reconcile_in_full", soft_time_limit=6 * 3600, time_limit=6 * 3600 + 60)
def reconcile_in_full() -> None:
    """Compare the last five weeks with Stripe, and repair."""
    gateway = configured_gateway()
    reconcile_on_schedule(span=FULL, gateway=gateway, inbox=inbox_of(gateway))


@shared_task(name=wake.RECONCILE_WINDOW, soft_time_limit=6 * 3600, time_limit=6 * 3600 + 60)
def reconcile_window(since: str, until: str, repairs: int, user_id: int) -> None:
    """Compare the window that a member of staff has asked for; an empty end is now."""
    gateway = configured_gateway()
    reconcile_for_staff(
        since=datetime.fromisoformat(since),
        until=datetime.fromisoformat(until) if until else None,
        repairs=bool(repairs),
        started_by=User.objects.filter(pk=user_id).first(),
        gateway=gateway,
        inbox=inbox_of(gateway),
    )


@shared_task(name="billing.verify_recent", soft_time_limit=300, time_limit=330)
def verify_recent() -> None:
    """Verify the books of whoever has moved since the last look."""
    verify_on_schedule(is_recent=True)


@shared_task(name="billing.verify_in_full", soft_time_limit=3600, time_limit=3660)
def verify_in_full() -> None:
    """Verify the books of all customers."""
    verify_on_schedule(is_recent=False)

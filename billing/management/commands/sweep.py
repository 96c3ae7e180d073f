"""`manage.py sweep`: do whatever a lost message left undone."""

import json
import signal
import sys
import threading
import time
from argparse import ArgumentParser
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.db import close_old_connections, connections
from django.utils import timezone

from billing import conf
from billing.management.billing_command import BillingCommand
from billing.services.adjustments import expire_adjustments
from billing.services.expiring import announce_expiring_credits
from billing.services.expiry import expire_lapsed_credits
from billing.services.gateway import configured_gateway
from billing.services.holds import expire_stale_holds
from billing.services.mail_sending import send_due_mails
from billing.services.notice_expansion import expand_due_notices
from billing.services.parked_events import wake_events_known_by_now
from billing.services.preferences import align_thresholds
from billing.services.refund_sending import send_due_refunds
from billing.services.refunds import expire_refund_requests
from billing.services.staff_alarms import watch_alarms
from billing.services.top_ups.cards import save_missing_cards
from billing.services.top_ups.deciding import pause_what_changed
from billing.services.top_ups.running import run_due_top_ups
from billing.services.voucher_batches import expire_voucher_batches
from billing.services.voucher_guesses import purge_guesses
from billing.services.webhook_claims import give_up_waiting
from billing.services.webhook_messages import purge_deleted_endpoints
from billing.services.webhook_sending import send_due_deliveries
from billing.webhooks.inbox import find_forgotten_events, work_off_due_events

DEFAULT_INTERVAL_SECONDS = 10.0
ALARMS_EVERY_SECONDS = 60.0
_HOUR = timedelta(hours=1)
log = structlog.get_logger(__name__)


class Command(BillingCommand):
    """Needs PostgreSQL only. Several at once share the work, because each chore claims what it does."""

    help = (
        "Every few seconds works off due Stripe events, expires stale holds and lapsed credits, looks after parked "
        "events, and sends webhooks, so that nothing waits for Redis or a worker. Runs until it is stopped; SIGTERM "
        "ends it after the step at hand. Exit code 0: stopped, or --once found everything in order; 1: with --once, a "
        "chore failed."
    )

    last_hourly_at: datetime | None = None

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--once", action="store_true", help="One round, then exit.")
        parser.add_argument(
            "--interval", type=float, default=DEFAULT_INTERVAL_SECONDS, help="Seconds between rounds (default: 10)."
        )
        parser.add_argument(
            "--json", action="store_true", help="A JSON line for each round in which something was done."
        )

    def handle(self, *, once: bool, interval: float, json: bool, **options: Any) -> None:
        self.stopping = threading.Event()
        self.alarms_due_at = 0.0
        if once:
            if not self.run_round(as_json=json):
                sys.exit(1)
            return
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self.stopping.set())
        log.info("sweeper_started", interval_seconds=interval)
        while not self.stopping.is_set():
            close_old_connections()
            self.run_round(as_json=json)
            self.stopping.wait(interval)
        log.info("sweeper_stopped")

    def run_round(self, *, as_json: bool) -> bool:
        """Each chore once; a chore that fails does not keep the others from being done."""
        counts: dict[str, int] = {}
        is_whole = True
        for name, chore in self.chores().items():
            if self.stopping.is_set():
                break
            try:
                counts[name] = chore()
            except Exception as error:  # the database may be restarting: the next round tries again
                is_whole = False
                log.error("sweep_failed", chore=name, error=f"{type(error).__name__}: {error}")
                connections.close_all()
        if any(counts.values()):
            log.info("swept", **counts)
            if as_json:
                self.stdout.write(json.dumps(counts))
        return is_whole

    def chores(self) -> dict[str, Callable[[], int]]:
        """What a round does, in this order: what needs no Stripe first; what is woken is worked off at once."""
        return {
            "holds_expired": lambda: expire_stale_holds(now=timezone.now()),
            "customers_expired": lambda: expire_lapsed_credits(now=timezone.now()),
            "adjustments_expired": lambda: expire_adjustments(now=timezone.now()),
            "voucher_batches_expired": lambda: expire_voucher_batches(now=timezone.now()),
            "voucher_guesses_purged": lambda: purge_guesses(now=timezone.now()),
            "events_woken": wake_events_known_by_now,
            "events_worked_off": lambda: work_off_due_events(
                gateway=configured_gateway(), should_stop=self.stopping.is_set
            ),
            "events_forgotten": lambda: find_forgotten_events(now=timezone.now()),
            "refund_requests_expired": lambda: expire_refund_requests(now=timezone.now()),
            "refunds_sent": lambda: send_due_refunds(gateway=configured_gateway(), now=timezone.now()),
            "notices_expanded": lambda: expand_due_notices(should_stop=self.stopping.is_set),
            "webhooks_tried": lambda: send_due_deliveries(should_stop=self.stopping.is_set),
            "webhooks_given_up": lambda: give_up_waiting(now=timezone.now()),
            "webhooks_of_deleted_purged": lambda: purge_deleted_endpoints(should_stop=self.stopping.is_set),
            "top_ups_paused": pause_what_changed,
            "cards_saved": lambda: save_missing_cards(gateway=configured_gateway(), now=timezone.now()),
            "top_ups_run": lambda: run_due_top_ups(
                gateway=configured_gateway(), now=timezone.now(), should_stop=self.stopping.is_set
            ),
            "alarms_changed": self.watch_alarms_each_minute,
            **self.hourly_chores(),
            **conf.further_chores(),
            "mails_sent": lambda: send_due_mails(should_stop=self.stopping.is_set),
        }

    def hourly_chores(self) -> dict[str, Callable[[], int]]:
        """What looks at more rows than a round should, in the first round and then every hour."""
        now = timezone.now()
        if self.last_hourly_at is not None and now < self.last_hourly_at + _HOUR:
            return {}
        self.last_hourly_at = now
        return {
            "thresholds_aligned": align_thresholds,
            "expiring_announced": lambda: announce_expiring_credits(now=timezone.now()),
        }

    def watch_alarms_each_minute(self) -> int:
        """What staff are alarmed about changes slowly: a look a minute is enough."""
        if time.monotonic() < self.alarms_due_at:
            return 0
        self.alarms_due_at = time.monotonic() + ALARMS_EVERY_SECONDS
        return watch_alarms(now=timezone.now())

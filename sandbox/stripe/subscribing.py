"""The levers for subscriptions, for their invoices and for the clock."""

import time
from typing import Any

from sandbox.stripe.clock import advance_clock, find_next_renewal
from sandbox.stripe.machine import Sandbox
from sandbox.stripe.objects.customers import require_customer
from sandbox.stripe.records import Resource, public
from sandbox.stripe.subscriptions.balances import move_balance
from sandbox.stripe.subscriptions.calendar import DAY_SECONDS
from sandbox.stripe.subscriptions.changing import change_subscription
from sandbox.stripe.subscriptions.collecting import save_card
from sandbox.stripe.subscriptions.ending import cancel_subscription, require_running
from sandbox.stripe.subscriptions.items import recurring_price
from sandbox.stripe.subscriptions.renewing import bill_rest, resume_subscription
from sandbox.stripe.subscriptions.scheduling import schedule_change, take_back_change
from sandbox.stripe.subscriptions.settings import change_settings, subscriptions_of
from sandbox.stripe.subscriptions.starting import Start, start_subscription


class SubscribingLevers:
    """A part of ``Control``."""

    sandbox: Sandbox

    # -- the clock

    def advance_clock(
        self, *, seconds: float = 0, days: float = 0, to: float | None = None, renewals: int = 0
    ) -> dict[str, int]:
        """Move the sandbox's clock and do in order all that becomes due: trials, renewals, retries, ends.

        ``to`` is a time; ``renewals`` goes to the end of so many periods. Without any it does what is due by now.
        Says what the time is then and how many things were done.
        """
        done = sum(self._advance_to_renewal() for _ in range(renewals))
        with self.sandbox.work():
            target = self.sandbox.time() + seconds + days * DAY_SECONDS if to is None else to
        done += advance_clock(self.sandbox, to=target)
        return {"now": self.sandbox.now(), "done": done}

    def read_clock(self) -> dict[str, Any]:
        """The time of the sandbox's clock, how far it is ahead, and when the next period ends."""
        ahead = round(self.sandbox.time() - time.time())
        return {"now": self.sandbox.now(), "ahead_seconds": ahead, "next_renewal": find_next_renewal(self.sandbox)}

    def _advance_to_renewal(self) -> int:
        ends_at = find_next_renewal(self.sandbox)
        if ends_at is None:
            raise ValueError("No subscription has a period that ends.")
        return advance_clock(self.sandbox, to=max(ends_at, self.sandbox.time()))

    # -- subscriptions

    def subscribe(
        self,
        customer: str,
        price: str,
        *,
        quantity: int = 1,
        trial_days: int | None = None,
        coupon: str | None = None,
        card: str | None = "4242424242424242",
        metadata: dict[str, str] | None = None,
    ) -> Resource:
        """Start a subscription as somebody does at Stripe's dashboard. Returns it.

        ``card`` is saved with the customer first; with None the one that is saved already pays.
        """
        with self.sandbox.work():
            require_customer(self.sandbox, customer)
            if card is not None:
                save_card(self.sandbox, customer, "".join(card.split()))
            start = Start(
                customer_id=customer,
                items=[{"price": price, "quantity": quantity}],
                trial_end=self.sandbox.now() + trial_days * DAY_SECONDS if trial_days else None,
                discounts=[{"coupon": coupon}] if coupon else [],
                metadata=metadata or {},
            )
            return public(start_subscription(self.sandbox, start))

    def change_subscription(
        self,
        subscription_id: str,
        *,
        price: str | None = None,
        quantity: int | None = None,
        proration: str = "always_invoice",
        at_once: bool = True,
    ) -> Resource:
        """Change the plan or the seats of a subscription's one item, as somebody does at the dashboard. Returns it.

        ``proration`` is always_invoice, create_prorations or none; with ``at_once=False`` the change waits for the end
        of the period, as a downgrade in the portal does.
        """
        with self.sandbox.work():
            subscription = self._running(subscription_id)
            item = subscription["items"]["data"][0]
            if not at_once:
                chosen = recurring_price(self.sandbox, {"price": price or item["price"]["id"]}, "price")
                schedule_change(self.sandbox, subscription, price=chosen, quantity=quantity)
                return public(subscription)
            wanted = {"id": item["id"], "price": price or item["price"]["id"], "quantity": quantity or item["quantity"]}
            params = {"items": [wanted], "proration_behavior": proration}
            return public(change_subscription(self.sandbox, subscription, params))

    def keep_plan(self, subscription_id: str) -> Resource:
        """Take a change back that waits for the end of the period, as the portal does. Returns the subscription."""
        with self.sandbox.work():
            take_back_change(self.sandbox, self._running(subscription_id))
            return public(self.sandbox.require("subscription", subscription_id))

    def cancel_subscription(
        self, subscription_id: str, *, at_period_end: bool = False, prorate: bool = False
    ) -> Resource:
        """End a subscription now or at the end of its period; ``prorate`` credits what is left of it. Returns it."""
        with self.sandbox.work():
            subscription = self._running(subscription_id)
            if at_period_end:
                change_settings(self.sandbox, subscription, {"cancel_at_period_end": True})
            else:
                cancel_subscription(self.sandbox, subscription, prorate=prorate)
                if prorate:
                    bill_rest(self.sandbox, subscription)
            return public(self.sandbox.require("subscription", subscription_id))

    def resume_subscription(self, subscription_id: str) -> Resource:
        """Undo what ends or holds a subscription: a cancellation to come, paused collection, a pause. Returns it."""
        with self.sandbox.work():
            subscription = self._running(subscription_id)
            if subscription["status"] == "paused":
                resume_subscription(self.sandbox, subscription)
            else:
                undone = {"cancel_at_period_end": False, "pause_collection": ""}
                change_settings(self.sandbox, subscription, undone)
            return public(self.sandbox.require("subscription", subscription_id))

    def pause_collection(
        self, subscription_id: str, behavior: str = "void", *, resumes_at: int | None = None
    ) -> Resource:
        """Let the next invoices be void, mark_uncollectible or keep_as_draft, until a time or until resumed."""
        with self.sandbox.work():
            subscription = self._running(subscription_id)
            pause = {"behavior": behavior, "resumes_at": resumes_at}
            change_settings(self.sandbox, subscription, {"pause_collection": pause})
            return public(subscription)

    def _running(self, subscription_id: str) -> Resource:
        subscription = self.sandbox.require("subscription", subscription_id)
        require_running(subscription)
        return subscription

    # -- customers

    def set_customer_balance(self, customer: str, amount: int, *, currency: str = "usd") -> Resource:
        """Give a customer this balance; a negative one is credit for the next invoices. Returns the customer."""
        with self.sandbox.work():
            balance = require_customer(self.sandbox, customer)["balance"]
            if amount != balance:
                move_balance(self.sandbox, customer, amount=amount - balance, kind="adjustment", currency=currency)
            return public(self.sandbox.require("customer", customer))

    def set_customer_card(self, customer: str, card: str = "4242424242424242") -> Resource:
        """Let this card pay a customer's invoices and subscriptions from now on. Returns the payment method.

        4000000000000341 is declined, 4000002760003184 asks for authentication each time.
        """
        with self.sandbox.work():
            payment_method = save_card(self.sandbox, customer, "".join(card.split()))
            for subscription in subscriptions_of(self.sandbox, customer):
                if subscription["default_payment_method"]:
                    settings = {"default_payment_method": payment_method["id"]}
                    change_settings(self.sandbox, subscription, settings)
            return public(payment_method)

    def fail_next_payments(self, customer: str, times: int = 1) -> None:
        """Let the next payments of this customer's invoices be declined, whatever the card."""
        with self.sandbox.work():
            found = require_customer(self.sandbox, customer)
            self.sandbox.store.put({**found, "_failing_payments": times})

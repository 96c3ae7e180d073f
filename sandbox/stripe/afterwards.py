"""The levers for what happens to a payment afterwards: refunds, disputes, fraud warnings, deleted customers."""

from typing import Any

from sandbox.stripe.filling import Order, Plan, fill_payments
from sandbox.stripe.giving_back import disputing, refunding
from sandbox.stripe.giving_back.charged import find_charge
from sandbox.stripe.giving_back.disputing import Outcome
from sandbox.stripe.giving_back.refunding import RefundEnd, RefundStart
from sandbox.stripe.giving_back.starting import save_refund_start
from sandbox.stripe.giving_back.warning import open_warning
from sandbox.stripe.machine import Sandbox
from sandbox.stripe.objects.customers import new_customer
from sandbox.stripe.records import Resource, public
from sandbox.stripe.subscriptions.leaving import remove_customer


class AfterwardsLevers:
    """A part of ``Control``. A ``target`` is the id of a charge, of its payment intent or of its session."""

    sandbox: Sandbox

    # -- refunds

    def refund_payment(
        self,
        target: str,
        *,
        amount: int | None = None,
        reason: str | None = None,
        status: RefundStart | None = None,
        metadata: dict[str, str] | None = None,
    ) -> Resource:
        """Refund what is left, or ``amount``, as somebody does at Stripe's dashboard. Returns the refund.

        Cards are refunded at once and bank debits are left pending; ``status`` says otherwise.
        """
        with self.sandbox.work():
            charge = find_charge(self.sandbox, target)
            refund = refunding.start_refund(
                self.sandbox, charge, amount=amount, reason=reason, metadata=metadata, status=status
            )
            return public(refund)

    def end_refund(
        self, refund_id: str, status: RefundEnd = "succeeded", *, failure_reason: str = "expired_or_canceled_card"
    ) -> Resource:
        """Let a refund succeed, fail or be canceled; one that succeeded may still fail. Returns it."""
        with self.sandbox.work():
            refund = self.sandbox.require("refund", refund_id)
            refunding.end_refund(self.sandbox, refund, status=status, failure_reason=failure_reason)
            return public(refund)

    def set_refunds(self, *, status: RefundStart | None) -> None:
        """Let refunds that are asked for over the API start in this status from now on; None is as Stripe does it."""
        with self.sandbox.work():
            save_refund_start(self.sandbox, status)

    # -- disputes

    def open_dispute(
        self,
        target: str,
        *,
        amount: int | None = None,
        inquiry: bool = False,
        reason: str = "fraudulent",
        withdraws: bool = True,
    ) -> Resource:
        """Dispute a payment. Its money goes at once, or with ``withdraws=False`` later. Returns the dispute."""
        with self.sandbox.work():
            charge = find_charge(self.sandbox, target)
            dispute = disputing.open_dispute(
                self.sandbox, charge, amount=amount, reason=reason, is_inquiry=inquiry, withdraws=withdraws
            )
            return public(dispute)

    def escalate_inquiry(self, dispute_id: str, *, withdraws: bool = True) -> Resource:
        """Turn an inquiry into a dispute. Its money goes at once, or with ``withdraws=False`` later."""
        with self.sandbox.work():
            dispute = self.sandbox.require("dispute", dispute_id)
            disputing.escalate_inquiry(self.sandbox, dispute, withdraws=withdraws)
            return public(dispute)

    def withdraw_funds(self, dispute_id: str) -> Resource:
        """Take the disputed money, for the first time or again. Returns the dispute."""
        with self.sandbox.work():
            dispute = self.sandbox.require("dispute", dispute_id)
            disputing.withdraw_funds(self.sandbox, dispute)
            return public(dispute)

    def reinstate_funds(self, dispute_id: str, *, amount: int | None = None) -> Resource:
        """Give the disputed money back, or ``amount`` of it. Returns the dispute."""
        with self.sandbox.work():
            dispute = self.sandbox.require("dispute", dispute_id)
            disputing.reinstate_funds(self.sandbox, dispute, amount=amount)
            return public(dispute)

    def close_dispute(self, dispute_id: str, outcome: Outcome, *, reinstates: bool = True) -> Resource:
        """Decide a dispute. Winning it gives the money back, unless ``reinstates=False``. Returns the dispute."""
        with self.sandbox.work():
            dispute = self.sandbox.require("dispute", dispute_id)
            disputing.close_dispute(self.sandbox, dispute, outcome=outcome, reinstates=reinstates)
            return public(dispute)

    # -- the rest

    def warn_of_fraud(self, target: str, *, fraud_type: str = "unauthorized_use_of_card") -> Resource:
        """Let the bank warn that a payment may be fraud. Returns the warning."""
        with self.sandbox.work():
            charge = find_charge(self.sandbox, target)
            return public(open_warning(self.sandbox, charge, fraud_type=fraud_type))

    def delete_customer(self, customer_id: str) -> Resource:
        """Delete a customer, as somebody does at Stripe's dashboard. Returns what is left of it."""
        with self.sandbox.work():
            return remove_customer(self.sandbox, customer_id)

    def fill_payments(
        self,
        payments: int | list[dict[str, Any]],
        *,
        amount: int = 1000,
        customer: str | None = None,
        starting_at: int | None = None,
        seconds_apart: float = 1.0,
        **plan: Any,
    ) -> list[dict[str, str]]:
        """Write thousands of paid sessions with all that belongs to them, for measurements; no events leave.

        ``payments`` is how many, or a list of ``{"reference": …, "amount": …, "customer": …}``, of which the last two
        may be missing. The reference is where the product puts its own: ``metadata["payment_id"]`` and
        ``client_reference_id``. Without a customer one is made. ``plan`` is any field of ``filling.Plan``.
        Returns the ids of each payment's objects: ``session``, ``payment_intent``, ``charge`` …
        """
        given = [{"reference": f"payment-{n}"} for n in range(payments)] if isinstance(payments, int) else payments
        started = self.sandbox.now() - 7200 - int(len(given) * seconds_apart)  # what is given back is so an hour later
        with self.sandbox.work():
            payer = customer or new_customer(self.sandbox, fields={"name": "Payer"}, metadata={})["id"]
            orders = [
                Order(one["reference"], int(one.get("amount", amount)), one.get("customer") or payer) for one in given
            ]
            return fill_payments(
                self.sandbox, orders, plan=Plan(**plan), starting_at=starting_at or started, seconds_apart=seconds_apart
            )

"""What staff do to a payment: refund it, compare it with Stripe, grant what was offered all the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone

from accounts.audited import record_act
from accounts.network import client_address
from billing.admin.base import page_action, page_address
from billing.admin.confirmations import confirmation_page
from billing.admin.forms import ReasonForm
from billing.admin.refund_page import acting_user, refund_page
from billing.errors import BillingError
from billing.models import Payment, PaymentState
from billing.selectors.refunds import read_refundable
from billing.services.approvals import check_not_own
from billing.services.convergence import Convergence
from billing.services.gateway import configured_gateway
from billing.services.payment_reading import refresh_payment
from billing.services.payments import accept_mismatch
from billing.services.refunds import MAY_REQUEST

_READ = {
    Convergence.CONVERGED: "Read from Stripe. The payment and its credits are as Stripe has them now.",
    Convergence.UNKNOWN: "Stripe knows no checkout of this payment. Nothing was changed.",
    Convergence.CONTRADICTED: "What Stripe has contradicts this payment. Nothing was changed.",
}


class ActsOnPayment:
    """The buttons of a payment's page and the pages behind them."""

    # What the admin that this is mixed into brings.
    get_object: Callable[..., Any]
    has_view_permission: Callable[..., bool]

    def has_refund_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return bool(request.user.has_perm(MAY_REQUEST))

    def has_repair_permission(self, request: HttpRequest, obj: object = None) -> bool:
        """Whether payments may be brought in line by hand: the right to reconcile."""
        return bool(request.user.has_perm("billing.run_reconciliation"))

    def get_actions_detail(self, request: HttpRequest, object_id: int) -> list[Any]:
        """Only what makes sense now: nothing to refund where nothing is left, nothing to grant outside a review."""
        payment = self.get_object(request, str(object_id))
        hidden = set()
        if payment is not None:
            left = read_refundable(payment=payment, now=timezone.now()).most_minor
            hidden |= set() if left else {"refund"}
            hidden |= set() if payment.state == PaymentState.REVIEW else {"grant_offered"}
        offered = super().get_actions_detail(request, object_id)  # type: ignore[misc]
        return [each for each in offered if not each.action_name.endswith(tuple(f"payment_{name}" for name in hidden))]

    @page_action("Refund", url_path="refund", permissions=["refund"])
    def refund(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The form of a refund, its preview, and the refund."""
        payment = self._payment(request, object_id)
        return refund_page(model_admin=self, request=request, payment=payment)  # type: ignore[arg-type]

    @page_action("Check with Stripe now", url_path="check", permissions=["repair"])
    def check_with_stripe(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask why, then read the payment from Stripe and converge it."""
        payment, form = self._payment(request, object_id), ReasonForm(request.POST or None)
        if form.is_valid():
            self._check(request, payment, reason=form.cleaned_data["reason"])
            return redirect(page_address(payment))
        question = "Session, intent, refunds, disputes and invoice are read from Stripe, and the credits follow them."
        return self._ask(request, payment, form, title="Check with Stripe now", question=question)

    @page_action("Grant what was offered", url_path="grant", permissions=["repair"])
    def grant_offered(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask why, then grant what was offered although something else was paid."""
        payment, form = self._payment(request, object_id), ReasonForm(request.POST or None)
        if payment.state != PaymentState.REVIEW:
            messages.info(request, "This payment is not under review; nothing was granted now.")
            return redirect(page_address(payment))
        if form.is_valid():
            self._grant(request, payment, reason=form.cleaned_data["reason"])
            return redirect(page_address(payment))
        question = f"{payment.mismatch} All that was offered is granted, as if the price had been paid."
        return self._ask(request, payment, form, title="Grant what was offered", question=question)

    def _payment(self, request: HttpRequest, object_id: str) -> Payment:
        payment: Payment | None = self.get_object(request, object_id)
        if payment is None:
            raise Http404
        if not self.has_view_permission(request, payment):
            raise PermissionDenied
        return payment

    def _check(self, request: HttpRequest, payment: Payment, *, reason: str) -> None:
        try:
            outcome = refresh_payment(payment=payment, gateway=configured_gateway())
        except BillingError as refusal:
            messages.error(request, f"{refusal} Nothing was changed.")
            return
        before = _money_of(payment)
        payment.refresh_from_db()
        with transaction.atomic():
            record_act(
                request=request,
                action="payment.check",
                target=payment,
                before=before,
                after={**_money_of(payment), "outcome": str(outcome)},
                reason=reason,
            )
        level = messages.SUCCESS if outcome is Convergence.CONVERGED else messages.WARNING
        messages.add_message(request, level, _READ[outcome])

    def _grant(self, request: HttpRequest, payment: Payment, *, reason: str) -> None:
        actor = acting_user(request)
        try:
            check_not_own(actor=actor, customer=payment.customer)
        except BillingError as refusal:
            messages.error(request, str(refusal))
            return
        accept_mismatch(payment_id=payment.pk, actor=actor, reason=reason, address=client_address(request))
        messages.success(request, "Granted.")

    def _ask(
        self, request: HttpRequest, payment: Payment, form: ReasonForm, *, title: str, question: str
    ) -> HttpResponse:
        return confirmation_page(
            model_admin=self,  # type: ignore[arg-type]
            request=request,
            title=title,
            subtitle=str(payment),
            question=question,
            button=title,
            back=page_address(payment),
            form=form,
        )


def _money_of(payment: Payment) -> dict[str, Any]:
    """What a check may change, for the audit log."""
    return {
        "state": payment.state,
        "paid_minor": payment.paid_amount_minor,
        "refunded_minor": payment.refunded_minor,
        "credited_minor": payment.credited_minor,
        "withdrawn_minor": payment.withdrawn_minor,
        "entries": payment.posting_count,
    }

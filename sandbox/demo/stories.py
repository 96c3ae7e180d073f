"""Customers whose money took another way: refunds, disputes, a debt, a payment under review, a lost webhook.

What happens, happens at the stand-in and is told by its events; nothing here writes a payment, a refund or an entry.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from billing.kinds import EntryKind
from billing.models import BillingCustomer
from billing.services.orders import Order, order_custom_amount, order_pack
from billing.services.posting import Posting, post_many
from sandbox.demo.accounts import DEBTOR
from sandbox.demo.people import ensure_buyer
from sandbox.demo.purchase import Till, has_bought
from sandbox.stripe.control import Control

Course = Callable[[Control, str], Any]
SECOND_PERSON_NEEDED_MINOR: Final = 15_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """Who buys what, how they pay, what they use, and what becomes of the money."""

    email: str
    order: Callable[[], Order]
    pays: Course
    uses: int = 0
    then: Course | None = None
    is_told: bool = True

    @property
    def form_key(self) -> str:
        return f"demo-{self.email.partition('@')[0]}"


def seed_stories(*, till: Till) -> int:
    """Play the stories that have not been played; gives how many there are now."""
    for story in STORIES:
        _play(story, till=till)
    _sell_something_else(till=till)
    return len(STORIES)


def _play(story: Story, *, till: Till) -> None:
    customer = ensure_buyer(email=story.email)
    if has_bought(customer=customer, form_key=story.form_key):
        return
    session_id = till.open(customer=customer, order=story.order(), form_key=story.form_key).session_id
    story.pays(till.control, session_id)
    if not story.is_told:
        till.lose_events()
        return
    till.tell()
    if story.uses:
        _use(customer, credits=story.uses, key=f"api:{story.form_key}-work")
    if story.then is not None:
        story.then(till.control, session_id)
        till.tell()


def _use(customer: BillingCustomer, *, credits: int, key: str) -> None:
    work = Posting(
        customer_id=customer.pk,
        kind=EntryKind.USAGE,
        amount=Decimal(-credits),
        key=key,
        description="Summary of acme/docs, 318 commits",
    )
    post_many(postings=[work])


def _sell_something_else(*, till: Till) -> None:
    """A payment of another product on the same account at Stripe: no event of ours, and nobody's credits."""
    if not any("order_id" in charge["metadata"] for charge in till.control.list_objects("charge")):
        till.control.fill_payments([{"reference": "order-1017", "amount": 4_900}], metadata_key="order_id")


def _card(control: Control, session_id: str) -> None:
    control.pay_session(session_id)


def _card_for_too_little(control: Control, session_id: str) -> None:
    """As if somebody had changed the session at Stripe: what is paid is not what was offered."""
    with control.sandbox.work():
        session = control.sandbox.require("checkout.session", session_id)
        control.sandbox.store.put({**session, "amount_subtotal": 80, "amount_total": 80})
    _card(control, session_id)


def _bank_debit(control: Control, session_id: str) -> None:
    control.pay_session(session_id, method="bank_debit")


def _settled_bank_debit(control: Control, session_id: str) -> None:
    _bank_debit(control, session_id)
    control.settle_delayed(session_id)


def _failing_bank_debit(control: Control, session_id: str) -> None:
    _bank_debit(control, session_id)
    control.settle_delayed(session_id, succeed=False)


def _declined_card(control: Control, session_id: str) -> None:
    control.pay_session(session_id, card="4000000000000002")


def _refund(control: Control, session_id: str) -> None:
    control.refund_payment(session_id, reason="requested_by_customer")


def _refund_of_400(control: Control, session_id: str) -> None:
    control.refund_payment(session_id, amount=400)


def _pending_refund(control: Control, session_id: str) -> None:
    control.refund_payment(session_id, amount=250)


def _failing_refund(control: Control, session_id: str) -> None:
    control.end_refund(control.refund_payment(session_id)["id"], "failed")


def _inquiry(control: Control, session_id: str) -> None:
    control.open_dispute(session_id, inquiry=True, reason="unrecognized")


def _dispute(control: Control, session_id: str) -> None:
    control.open_dispute(session_id)


def _won_dispute(control: Control, session_id: str) -> None:
    control.close_dispute(control.open_dispute(session_id, reason="product_not_received")["id"], "won")


def _lost_dispute(control: Control, session_id: str) -> None:
    control.close_dispute(control.open_dispute(session_id)["id"], "lost")


def _fraud_warning(control: Control, session_id: str) -> None:
    control.warn_of_fraud(session_id)


def _starter() -> Order:
    return order_pack(slug="starter")


def _standard() -> Order:
    return order_pack(slug="standard")


def _much() -> Order:
    """More than one person may refund alone."""
    return order_custom_amount(amount_minor=SECOND_PERSON_NEEDED_MINOR)


STORIES: Final = (
    Story(email=DEBTOR.email, order=_starter, pays=_card, uses=900, then=_refund),
    Story(email="refunded@example.com", order=_starter, pays=_card, then=_refund),
    Story(email="partly-refunded@example.com", order=_standard, pays=_card, uses=2_150, then=_refund_of_400),
    Story(email="refund-pending@example.com", order=_standard, pays=_settled_bank_debit, then=_pending_refund),
    Story(email="refund-failed@example.com", order=_standard, pays=_card, then=_failing_refund),
    Story(email="inquiry@example.com", order=_standard, pays=_card, then=_inquiry),
    Story(email="disputed@example.com", order=_standard, pays=_card, uses=1_200, then=_dispute),
    Story(email="dispute-won@example.com", order=_standard, pays=_card, then=_won_dispute),
    Story(email="dispute-lost@example.com", order=_starter, pays=_card, uses=300, then=_lost_dispute),
    Story(email="fraud-warning@example.com", order=_starter, pays=_card, then=_fraud_warning),
    Story(email="under-review@example.com", order=_starter, pays=_card_for_too_little),
    Story(email="big-buyer@example.com", order=_much, pays=_card, uses=4_000),
    Story(email="waiting@example.com", order=_standard, pays=_bank_debit),
    Story(email="failed@example.com", order=_starter, pays=_failing_bank_debit),
    Story(email="declined@example.com", order=_starter, pays=_declined_card),
    Story(email="unheard@example.com", order=_standard, pays=_card, is_told=False),
)

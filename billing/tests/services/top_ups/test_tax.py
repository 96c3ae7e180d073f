"""With automatic tax a top-up is an invoice of ours, tied to the payment."""

from collections.abc import Callable

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from billing.errors import InvalidRequest
from billing.gateway.billing_details import Address
from billing.gateway.client import StripeGateway
from billing.gateway.invoicing import OwnInvoiceFacts
from billing.ledger.verification import verify_ledger
from billing.models import BillingCustomer, CreditPack, Notice
from billing.notice_kinds import NoticeEvent
from billing.services.customers import freeze_customer, unfreeze_customer
from billing.services.top_ups.consenting import turn_off
from billing.services.top_ups.deciding import decide_top_up
from billing.services.top_ups.invoicing import _finalized
from billing.tests.services.top_ups.conftest import Clock
from billing.tests.top_ups import ASKS, DECLINED, Shopper
from billing.top_up_rules import next_month_start
from sandbox.stripe.server import SandboxServer

pytestmark = pytest.mark.django_db
TAX = 200  # 20 % in France


@pytest.fixture
def taxed(
    stripe_sandbox: SandboxServer,
    gateway: StripeGateway,
    customer: BillingCustomer,
    pack: CreditPack,
    quiet_broker: list[str],
    settings: Settings,
) -> Shopper:
    """A shopper in France, where 20 % are added to the pack's $10.00."""
    settings.STRIPE_AUTOMATIC_TAX = True
    shopper = Shopper(sandbox=stripe_sandbox, gateway=gateway, customer=customer, pack=pack)
    gateway.update_billing_details(
        customer_id=str(shopper.customer.stripe_customer_id),
        name="Ada",
        email="",
        address=Address(country="FR"),
        idempotency_key="details-1",
    )
    return shopper


def invoices(shopper: Shopper) -> list[tuple[str, int]]:
    """Status and total of the invoices of top-ups, the oldest first."""
    references = [attempt.public_id for attempt in shopper.attempts]
    rows = [
        invoice
        for invoice in shopper.sandbox.control.list_objects("invoice")
        if invoice["metadata"].get("payment_id") in references
    ]
    return [
        (row["status"], row["total"])
        for row in sorted(rows, key=lambda row: references.index(row["metadata"]["payment_id"]))
    ]


def test_tax_is_added_and_the_credits_come(taxed: Shopper) -> None:
    taxed.spend_down_to(0)

    taxed.run()

    (attempt,) = taxed.attempts
    assert (attempt.state, attempt.paid_subtotal_minor, attempt.paid_tax_minor) == ("paid", 1000, TAX)
    assert (attempt.paid_amount_minor, attempt.mismatch) == (1200, "")
    assert attempt.invoice_id
    assert invoices(taxed) == [("paid", 1200)]
    assert (taxed.topped_up(), taxed.balance.posted) == (1, 10_500)
    taxed.deliver()
    assert (taxed.topped_up(), taxed.attempts[0].state) == (1, "paid")
    assert list(verify_ledger()) == []


@pytest.mark.parametrize(
    "path", ["/v1/invoices", "/v1/invoiceitems", "/v1/invoices/in_", "/v1/payment_intents", "/v1/customers"]
)
def test_lost_answers_of_any_step_end_in_one_payment(taxed: Shopper, clock: Clock, path: str) -> None:
    taxed.spend_down_to(0)
    taxed.sandbox.control.add_fault("dropped_connection", path=path, times=3)

    for _ in range(4):
        taxed.run()
        clock.move(minutes=10)

    assert invoices(taxed) == [("paid", 1200)]
    assert (len(taxed.attempts), taxed.topped_up()) == (1, 1)


def test_after_a_day_a_paid_invoice_is_found(taxed: Shopper, clock: Clock) -> None:
    """Only the answer about the money was lost; what came before it is said again by its keys."""
    taxed.spend_down_to(0)
    attempt = decide_top_up(customer_id=taxed.customer.pk)
    assert attempt is not None
    assert attempt.consent is not None
    opened = _finalized(attempt=attempt, consent=attempt.consent, gateway=taxed.gateway)
    taxed.sandbox.control.add_fault("dropped_connection", method="POST", path=f"/v1/invoices/{opened.id}/pay", times=3)
    taxed.run()
    assert (taxed.attempts[0].state, invoices(taxed)) == ("pending", [("paid", 1200)])
    clock.move(hours=25)

    taxed.run()

    assert (taxed.topped_up(), invoices(taxed)) == (1, [("paid", 1200)])


def test_after_a_day_an_unpaid_invoice_is_voided(taxed: Shopper, clock: Clock) -> None:
    taxed.spend_down_to(0)
    taxed.sandbox.control.add_fault("dropped_connection", method="POST", path="/v1/invoices/", times=3)
    taxed.run()
    assert invoices(taxed) == [("open", 1200)]
    clock.move(hours=25)

    taxed.run()
    assert (invoices(taxed), taxed.attempts[0].state) == ([("void", 1200)], "failed")
    taxed.run()

    assert (invoices(taxed), taxed.topped_up()) == ([("void", 1200), ("paid", 1200)], 1)


def test_a_decline_voids_the_invoice(taxed: Shopper, clock: Clock) -> None:
    taxed.change_card(DECLINED)
    taxed.spend_down_to(0)

    taxed.run()

    assert [attempt.state for attempt in taxed.attempts] == ["failed"]
    assert invoices(taxed) == [("void", 1200)]
    assert taxed.due_in is not None
    clock.move(hours=1, minutes=1)
    taxed.run()
    clock.move(hours=6, minutes=1)
    taxed.run()
    assert taxed.state == ("off", "declined")
    assert invoices(taxed) == [("void", 1200)] * 3


def test_a_bank_that_wants_the_customer_pauses_it(taxed: Shopper, clock: Clock) -> None:
    """Its invoice is void then, and the intent canceled, which says nothing of the bank any more."""
    taxed.change_card(ASKS)
    taxed.spend_down_to(0)

    taxed.run()

    assert (invoices(taxed), taxed.state) == ([("void", 1200)], ("authentication_needed", "authentication"))
    notice = Notice.objects.get(event=NoticeEvent.TOP_UP_AUTHENTICATION_NEEDED)
    assert f"/billing/buy/{taxed.pack.slug}/?save_card=1" in notice.payload["url"]
    clock.move(days=1)
    taxed.run()
    assert len(taxed.attempts) == 1


def test_tax_counts_towards_the_limit(taxed: Shopper, clock: Clock) -> None:
    """The price alone would fit into what is left of the month."""
    taxed.ceiling_minor = 2300
    taxed.consent()
    clock.move_to(next_month_start(timezone.now()))
    taxed.spend_down_to(0)
    taxed.run()
    assert invoices(taxed) == [("paid", 1200)]
    clock.move(minutes=6)
    taxed.spend_down_to(0)

    taxed.run()

    assert invoices(taxed) == [("paid", 1200), ("void", 1200)]
    assert taxed.balance.top_up_due_at == next_month_start(timezone.now())
    clock.move_to(next_month_start(timezone.now()))
    taxed.run()
    assert invoices(taxed) == [("paid", 1200), ("void", 1200), ("paid", 1200)]


def after_finalizing(taxed: Shopper, monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
    """Something happens once the invoice is final and before it is paid."""
    finalize = type(taxed.gateway).finalize_invoice

    def finalize_and_act(self: StripeGateway, **arguments: str) -> OwnInvoiceFacts:
        opened = finalize(self, **arguments)
        act()
        return opened

    monkeypatch.setattr(type(taxed.gateway), "finalize_invoice", finalize_and_act)


def test_turned_off_while_the_invoice_is_made_nothing_is_charged(
    taxed: Shopper, monkeypatch: pytest.MonkeyPatch
) -> None:
    after_finalizing(taxed, monkeypatch, lambda: turn_off(customer_id=taxed.customer.pk))
    taxed.spend_down_to(0)

    taxed.run()

    (attempt,) = taxed.attempts
    assert (attempt.state, attempt.paid_at, taxed.state) == ("failed", None, ("off", "customer"))
    assert (invoices(taxed), taxed.charges()) == ([("void", 1200)], [])
    assert (taxed.balance.top_up_due_at, taxed.topped_up()) == (None, 0)


def test_frozen_while_the_invoice_is_made_it_is_charged_afterwards(
    taxed: Shopper, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    customer_id = taxed.customer.pk
    with monkeypatch.context() as patched:
        after_finalizing(taxed, patched, lambda: freeze_customer(customer_id=customer_id, reason="Looking into it"))
        taxed.spend_down_to(0)
        taxed.run()
    assert (invoices(taxed), taxed.state) == ([("void", 1200)], ("on", ""))
    unfreeze_customer(customer_id=customer_id, reason="All is well")
    clock.move(minutes=16)

    taxed.run()

    assert invoices(taxed) == [("void", 1200), ("paid", 1200)]


def test_turned_off_after_a_lost_payment_it_is_credited(
    taxed: Shopper, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The money was taken by the try before; the invoice cannot be voided, and what was paid for is given."""
    taxed.spend_down_to(0)
    attempt = decide_top_up(customer_id=taxed.customer.pk)
    assert attempt is not None
    assert attempt.consent is not None
    opened = _finalized(attempt=attempt, consent=attempt.consent, gateway=taxed.gateway)
    taxed.sandbox.control.add_fault("dropped_connection", method="POST", path=f"/v1/invoices/{opened.id}/pay", times=3)
    taxed.run()
    assert (taxed.attempts[0].state, invoices(taxed)) == ("pending", [("paid", 1200)])
    after_finalizing(taxed, monkeypatch, lambda: turn_off(customer_id=taxed.customer.pk))
    clock.move(minutes=2)

    taxed.run()

    assert (taxed.attempts[0].state, taxed.topped_up(), invoices(taxed)) == ("paid", 1, [("paid", 1200)])


def test_a_limit_that_no_pack_fits_in_pauses_and_is_told(taxed: Shopper, clock: Clock) -> None:
    """The price alone would fit. Waiting for the next month would change nothing."""
    taxed.ceiling_minor = 1100
    taxed.consent()
    clock.move_to(next_month_start(timezone.now()))
    taxed.spend_down_to(0)

    taxed.run()

    assert (taxed.state, invoices(taxed)) == (("paused", "limit_too_low"), [("void", 1200)])
    assert taxed.balance.top_up_due_at is None
    (notice,) = Notice.objects.filter(event=NoticeEvent.TOP_UP_PAUSED)
    assert "With tax one pack costs more than your limit" in notice.payload["reason"]


def test_what_the_customer_owes_at_stripe_is_not_charged_along(taxed: Shopper) -> None:
    """A final invoice asks for a debt in the customer's balance at Stripe, too: nobody has agreed to that."""
    taxed.sandbox.control.set_customer_balance(str(taxed.customer.stripe_customer_id), 30)
    taxed.spend_down_to(0)

    taxed.run()

    (attempt,) = taxed.attempts
    assert (attempt.state, taxed.state) == ("failed", ("paused", "refused"))
    assert (invoices(taxed), taxed.charges(), taxed.topped_up()) == ([("void", 1200)], [], 0)
    stored = taxed.sandbox.control.get_object(str(taxed.customer.stripe_customer_id)) or {}
    assert stored["balance"] == 30
    assert "owes at Stripe" in attempt.refusal


def test_money_of_the_customer_at_stripe_pays_first(taxed: Shopper) -> None:
    taxed.sandbox.control.set_customer_balance(str(taxed.customer.stripe_customer_id), -500)
    taxed.spend_down_to(0)

    taxed.run()

    (attempt,) = taxed.attempts
    assert (attempt.state, attempt.paid_amount_minor, attempt.mismatch) == ("paid", 1200, "")
    charged = [charge["amount"] for charge in taxed.sandbox.control.list_objects("charge")]
    assert sorted(charged) == [700, 1000]
    assert (taxed.topped_up(), invoices(taxed)) == (1, [("paid", 1200)])


def test_a_limit_without_room_for_tax_cannot_be_chosen(taxed: Shopper) -> None:
    taxed.ceiling_minor = 1000
    with pytest.raises(InvalidRequest, match="no room for tax"):
        taxed.consent()
    taxed.ceiling_minor = 1001
    taxed.consent()


def test_the_page_says_when_it_is_tried_again(taxed: Shopper, clock: Clock, client: Client) -> None:
    """The price alone fits into what is left of the month, so that nothing but the time speaks against it."""
    taxed.ceiling_minor = 2300
    taxed.consent()
    clock.move_to(next_month_start(timezone.now()))
    taxed.spend_down_to(0)
    taxed.run()
    clock.move(minutes=6)
    taxed.spend_down_to(0)
    taxed.run()
    clock.move(minutes=6)
    assert taxed.customer.user is not None
    client.force_login(taxed.customer.user)

    page = client.get("/billing/top-up/").content.decode()

    assert "The pack is being bought." not in page
    assert "Next try:" in page
    assert "With tax it is more than the limit of the month." in page


def test_tax_that_nobody_agreed_to_pauses(shopper: Shopper, settings: Settings) -> None:
    settings.STRIPE_AUTOMATIC_TAX = True
    shopper.spend_down_to(0)

    shopper.run()

    assert (shopper.state, shopper.attempts) == (("paused", "terms_changed"), [])


def test_the_words_say_that_tax_is_added(taxed: Shopper) -> None:
    consent = taxed.top_up.consent
    assert consent is not None
    assert "Tax is added where it is due" in consent.wording
    assert consent.is_taxed

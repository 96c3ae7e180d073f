"""Plans: what the product relies on about subscriptions, their invoices, renewals and prorations."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Final

from billing.gateway.plan_facts import PlanInvoiceFacts, SubscriptionFacts
from billing.gateway.plan_parsing import has_credit_notes, parse_credit_note, parse_plan_invoice, parse_subscription
from sandbox.conformance.account import Difference, Json, StepSkipped
from sandbox.conformance.judging import expect, expect_that, wait_for
from sandbox.conformance.steps import CURRENCY, PRO_MINOR, PRO_PLUS_MINOR, World

CREDITED_MINOR: Final = 100
DRAFT_TIME: Final = timedelta(hours=2)  # an invoice of a renewal stays a draft for an hour


def subscribe(world: World) -> None:
    """A plan that is paid at once; the period is told by its item, the allowance by a line of its invoice."""
    customer = world.id_of("subscriber")
    card = world.observer.ask("post", "/v1/payment_methods/pm_card_visa/attach", customer=customer)
    made = world.observer.ask(
        "post",
        "/v1/subscriptions",
        customer=customer,
        default_payment_method=card["id"],
        items=[{"price": world.id_of("pro")}],
    )
    world.ids["subscription"] = made["id"]
    facts = parse_subscription(made)
    expect(facts, customer_id=customer, status="active", currency=CURRENCY, livemode=False)
    expect_that(facts.period_end is not None, "The period is not told by the subscription's item.")
    expect_that([item.price_id for item in facts.items] == [world.id_of("pro")], "The item's price is not told.")
    invoice = _read_invoice(world, facts.latest_invoice_id)
    expect(
        invoice,
        subscription_id=made["id"],
        status="paid",
        billing_reason="subscription_create",
        total_minor=PRO_MINOR,
        amount_paid_minor=PRO_MINOR,
    )
    [line] = invoice.lines
    expect(line, price_id=world.id_of("pro"), amount_minor=PRO_MINOR, is_proration=False, quantity=1)


def renew(world: World) -> None:
    """The clock passes the end of the period: a second invoice is paid by the saved card."""
    before = _read_subscription(world)
    if before.period_end is None:
        raise StepSkipped("The period of the subscription is not known.")
    for moment in (before.period_end + timedelta(minutes=1), before.period_end + DRAFT_TIME):
        _advance(world, to=int(moment.timestamp()))

    def find() -> PlanInvoiceFacts | None:
        paid = (invoice for invoice in _list_invoices(world) if invoice.status == "paid")
        return next((invoice for invoice in paid if invoice.billing_reason == "subscription_cycle"), None)

    invoice = wait_for(find, "The renewal is not paid")
    expect(invoice, total_minor=PRO_MINOR, amount_paid_minor=PRO_MINOR)
    after = _read_subscription(world)
    expect_that(after.period_end is not None and after.period_end > before.period_end, "The period did not move on.")


def credit(world: World) -> None:
    """A credit note on a paid invoice into the customer's balance: the note and its invoice say how much went there."""
    invoice_id = _read_subscription(world).latest_invoice_id
    made = world.observer.ask(
        "post", "/v1/credit_notes", invoice=invoice_id, amount=CREDITED_MINOR, credit_amount=CREDITED_MINOR
    )
    note = parse_credit_note(made)
    expect(
        note,
        invoice_id=invoice_id,
        is_void=False,
        total_minor=CREDITED_MINOR,
        before_payment_minor=0,
        to_balance_minor=CREDITED_MINOR,
        elsewhere_minor=0,
    )
    invoice = world.observer.ask("get", f"/v1/invoices/{invoice_id}")
    expect_that(has_credit_notes(invoice), "The invoice does not say that it has a credit note.")
    listed = [one["id"] for one in world.observer.list_all("/v1/credit_notes", invoice=invoice_id)]
    expect_that(listed == [note.id], "The note is not among the invoice's.")


def upgrade(world: World) -> None:
    """A dearer plan at once: what is left of the old one is a negative line, the new one a positive one."""
    subscription = _read_subscription(world)
    world.observer.ask(
        "post",
        f"/v1/subscriptions/{subscription.id}",
        items=[{"id": subscription.items[0].id, "price": world.id_of("pro_plus")}],
        proration_behavior="always_invoice",
    )
    changed = _read_subscription(world)
    expect_that([item.price_id for item in changed.items] == [world.id_of("pro_plus")], "The price did not change.")
    invoice = _read_invoice(world, changed.latest_invoice_id)
    expect(invoice, billing_reason="subscription_update", status="paid")
    prorated = {line.price_id: line for line in invoice.lines if line.is_proration}
    expect_that(set(prorated) == {world.id_of("pro"), world.id_of("pro_plus")}, "The prorations are not two lines.")
    expect_that(-PRO_MINOR <= prorated[world.id_of("pro")].amount_minor < 0, "The old plan is not given back.")
    expect_that(0 < prorated[world.id_of("pro_plus")].amount_minor <= PRO_PLUS_MINOR, "The new plan is not charged.")


def cancel(world: World) -> None:
    """The end of a subscription, at once."""
    ended = world.observer.ask("delete", f"/v1/subscriptions/{world.id_of('subscription')}")
    facts = parse_subscription(ended)
    expect(facts, status="canceled")
    expect_that(facts.ended_at is not None, "The end is not told.")
    del world.ids["subscription"]


def _advance(world: World, *, to: int) -> None:
    clock = world.id_of("clock")
    world.observer.ask("post", f"/v1/test_helpers/test_clocks/{clock}/advance", frozen_time=to)

    def is_there() -> bool | None:
        status = world.observer.ask("get", f"/v1/test_helpers/test_clocks/{clock}")["status"]
        if status == "internal_failure":
            raise Difference("The test clock failed.")
        return status == "ready" or None

    wait_for(is_there, "The test clock does not arrive")


def _read_subscription(world: World) -> SubscriptionFacts:
    return parse_subscription(world.observer.ask("get", f"/v1/subscriptions/{world.id_of('subscription')}"))


def _read_invoice(world: World, invoice_id: str) -> PlanInvoiceFacts:
    if not invoice_id:
        raise Difference("The subscription does not name its latest invoice.")
    return _facts_of(world, world.observer.ask("get", f"/v1/invoices/{invoice_id}", expand=["payments"]))


def _list_invoices(world: World) -> Iterable[PlanInvoiceFacts]:
    listed = world.observer.list_all("/v1/invoices", subscription=world.id_of("subscription"))
    return [_facts_of(world, invoice) for invoice in listed]


def _facts_of(world: World, invoice: Json) -> PlanInvoiceFacts:
    return parse_plan_invoice(invoice, lines=world.observer.list_all(f"/v1/invoices/{invoice['id']}/lines"))

"""Buying once: what the product relies on about customers, checkouts, cards, refunds and disputes."""

from __future__ import annotations

from dataclasses import dataclass, field
from time import time
from typing import Any, Final
from uuid import uuid4

from billing.gateway.parsing import (
    PAYMENT_METADATA_KEY,
    parse_customer,
    parse_dispute,
    parse_event,
    parse_payment_intent,
    parse_price,
    parse_product,
    parse_refund,
    parse_session,
)
from sandbox.conformance.account import Json, Observer, StepSkipped
from sandbox.conformance.judging import expect, expect_that, wait_for

PRICE_MINOR, REFUND_MINOR = 1_000, 300
PRO_MINOR, PRO_PLUS_MINOR = 1_900, 4_900
CURRENCY: Final = "usd"


@dataclass
class World:
    """What the steps have made so far, by name; and what has to be cleaned up."""

    observer: Observer
    ids: dict[str, str] = field(default_factory=dict)
    reference: str = field(default_factory=lambda: f"pay_conformance{uuid4().hex[:12]}")

    def id_of(self, name: str) -> str:
        """The id that an earlier step has made.

        Raises:
            StepSkipped: that step did not get so far.
        """
        if name not in self.ids:
            raise StepSkipped(f"Needs the {name.replace('_', ' ')} of an earlier step.")
        return self.ids[name]


def start_test_clock(world: World) -> None:
    """A clock that can be moved, for a customer of its own."""
    clock = world.observer.ask("post", "/v1/test_helpers/test_clocks", frozen_time=int(time()), name="Conformance")
    world.ids["clock"] = clock["id"]
    expect_that(clock["status"] == "ready", "A new test clock is not ready.")


def create_customers(world: World) -> None:
    """A customer who pays once, and one who lives by the clock where there is one."""
    one = world.observer.ask("post", "/v1/customers", email="conformance@example.com", metadata={"customer_id": "1"})
    world.ids["customer"] = world.ids["subscriber"] = one["id"]
    expect(parse_customer(one), id=one["id"], email="conformance@example.com", is_deleted=False)
    if "clock" in world.ids:
        subscriber = world.observer.ask("post", "/v1/customers", test_clock=world.ids["clock"])
        world.ids["subscriber"] = subscriber["id"]


def create_catalog(world: World) -> None:
    """A product, a one-time price and two monthly ones."""
    product = world.observer.ask("post", "/v1/products", name="Conformance", metadata={"pack": "conformance"})
    world.ids["product"] = product["id"]
    expect(parse_product(product), id=product["id"], name="Conformance", is_active=True)
    for name, amount in (("price", PRICE_MINOR), ("pro", PRO_MINOR), ("pro_plus", PRO_PLUS_MINOR)):
        terms: dict[str, Any] = {"product": product["id"], "unit_amount": amount, "currency": CURRENCY}
        if name != "price":
            terms["recurring"] = {"interval": "month"}
        price = world.observer.ask("post", "/v1/prices", **terms)
        world.ids[name] = price["id"]
        expect(
            parse_price(price),
            product_id=product["id"],
            amount_minor=amount,
            currency=CURRENCY,
            is_active=True,
            is_recurring=name != "price",
            livemode=False,
        )


def open_and_expire_checkout(world: World) -> None:
    """A checkout session in both ways of showing it; it knows its subtotal before anybody pays."""
    metadata = {PAYMENT_METADATA_KEY: world.reference}
    for ui_mode, addresses in (
        ("hosted_page", {"success_url": "https://example.com/back", "cancel_url": "https://example.com/"}),
        ("embedded_page", {"return_url": "https://example.com/back?session_id={CHECKOUT_SESSION_ID}"}),
    ):
        session = world.observer.ask(
            "post",
            "/v1/checkout/sessions",
            mode="payment",
            ui_mode=ui_mode,
            customer=world.id_of("customer"),
            client_reference_id=world.reference,
            metadata=metadata,
            payment_intent_data={"metadata": metadata},
            invoice_creation={"enabled": True},
            line_items=[{"price": world.id_of("price"), "quantity": 1}],
            allow_promotion_codes=True,
            **addresses,
        )
        facts = parse_session(session)
        expect(
            facts,
            mode="payment",
            status="open",
            payment_status="unpaid",
            payment_reference=world.reference,
            amount_subtotal_minor=PRICE_MINOR,
            currency=CURRENCY,
            customer_id=world.id_of("customer"),
            livemode=False,
        )
        expect_that(bool(facts.url) is (ui_mode == "hosted_page"), f"{ui_mode}: has an address of Stripe's page?")
        expect_that(bool(facts.client_secret) is (ui_mode == "embedded_page"), f"{ui_mode}: has a client secret?")
        ended = world.observer.ask("post", f"/v1/checkout/sessions/{session['id']}/expire")
        expect(parse_session(ended), status="expired")


def pay(world: World) -> None:
    """A saved card pays without its owner, and the intent carries our payment's id."""
    customer = world.id_of("customer")
    card = world.observer.ask("post", "/v1/payment_methods/pm_card_visa/attach", customer=customer)
    world.ids["card"] = card["id"]
    intent = _confirm(world, card["id"])
    world.ids["payment_intent"] = intent["id"]
    facts = parse_payment_intent(intent)
    expect(
        facts,
        status="succeeded",
        payment_reference=world.reference,
        amount_received_minor=PRICE_MINOR,
        currency=CURRENCY,
        customer_id=customer,
        failure=None,
        livemode=False,
    )
    expect_that(bool(facts.charge_id and facts.charged_at and facts.receipt_url), "The charge is not told whole.")
    world.ids["charge"] = facts.charge_id


def decline(world: World) -> None:
    """A card that is declined is refused with the attempt."""
    error = world.observer.refused("post", "/v1/payment_intents", **_intent(world, "pm_card_visa_chargeDeclined"))
    expect_that(error.get("code") == "card_declined", f"The code of a decline is {error.get('code')!r}.")
    expect_that(bool(error.get("decline_code")), "A decline has no decline_code.")
    facts = parse_payment_intent(dict(error.get("payment_intent") or {}))
    expect(facts, status="requires_payment_method", payment_reference=world.reference)
    expect_that(facts.failure is not None, "The intent does not say why it failed.")


def ask_for_authentication(world: World) -> None:
    """A card that wants its owner cannot be charged without them."""
    path, customer = "/v1/payment_methods/pm_card_authenticationRequired/attach", world.id_of("customer")
    card = world.observer.ask("post", path, customer=customer)
    error = world.observer.refused("post", "/v1/payment_intents", **_intent(world, card["id"]))
    expect_that(error.get("code") == "authentication_required", f"The code is {error.get('code')!r}.")


def refund(world: World) -> None:
    """Part of a payment goes back; the charge tells the sum, the list tells the refund."""
    made = world.observer.ask("post", "/v1/refunds", payment_intent=world.id_of("payment_intent"), amount=REFUND_MINOR)
    expect(parse_refund(made), amount_minor=REFUND_MINOR, currency=CURRENCY, charge_id=world.id_of("charge"))
    charge = world.observer.ask("get", f"/v1/charges/{world.id_of('charge')}")
    expect_that(charge["amount_refunded"] == REFUND_MINOR, f"amount_refunded is {charge['amount_refunded']}.")
    listed = world.observer.list_all("/v1/refunds", payment_intent=world.id_of("payment_intent"))
    expect_that([row["id"] for row in listed] == [made["id"]], "The refund is not in its payment's list.")


def dispute(world: World) -> None:
    """A disputed payment: the money leaves by a balance transaction of the dispute."""
    intent = _confirm(world, "pm_card_createDispute")

    def find() -> Json | None:
        found = world.observer.list_all("/v1/disputes", payment_intent=intent["id"])
        return found[0] if found and found[0]["balance_transactions"] else None

    facts = parse_dispute(wait_for(find, "A disputed payment has no dispute with its money"))
    expect(facts, amount_minor=PRICE_MINOR, payment_intent_id=intent["id"], livemode=False, is_inquiry=False)
    expect_that(sum(move.amount_minor for move in facts.movements) < 0, "The dispute has withdrawn nothing.")


def list_events(world: World) -> None:
    """Events are told in our API version, and our parsing reads their envelopes."""
    events = world.observer.list_all("/v1/events")
    expect_that(bool(events), "There are no events.")
    for event in events:
        expect(parse_event(event), id=event["id"], type=event["type"], livemode=False)


def _confirm(world: World, card: str) -> Json:
    intent = world.observer.ask("post", "/v1/payment_intents", **_intent(world, card))
    return world.observer.ask("get", f"/v1/payment_intents/{intent['id']}", expand=["latest_charge"])


def _intent(world: World, card: str) -> dict[str, Any]:
    return {
        "amount": PRICE_MINOR,
        "currency": CURRENCY,
        "customer": world.id_of("customer"),
        "payment_method": card,
        "confirm": True,
        "off_session": True,
        "metadata": {PAYMENT_METADATA_KEY: world.reference},
    }

"""Stripe's catalog follows our packs."""

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from billing.errors import InvalidRequest
from billing.gateway.client import StripeGateway
from billing.models import CreditPack
from billing.services.catalog import adopt_price, sync_catalog
from billing.tests.shop import make_pack
from sandbox.stripe.server import SandboxServer

pytestmark = pytest.mark.django_db


def actions(gateway: StripeGateway, *, dry_run: bool = False) -> list[str]:
    """What was done about packs."""
    changes = sync_catalog(gateway=gateway, dry_run=dry_run)
    return [change.action for change in changes if change.item != "portal_without_sale"]


def prices(sandbox: SandboxServer) -> list[tuple[int, bool]]:
    return [(price["unit_amount"], price["active"]) for price in sandbox.control.list_objects("price")]


def test_pack_gets_a_product_and_a_price_once(
    stripe_sandbox: SandboxServer, gateway: StripeGateway, pack: CreditPack
) -> None:
    make_pack(is_active=False)

    assert actions(gateway) == ["create_product", "create_price"]
    assert actions(gateway) == []

    pack.refresh_from_db()
    price = stripe_sandbox.control.get_object(pack.stripe_price_id)
    assert price is not None
    assert (price["unit_amount"], price["currency"], price["product"]) == (1000, "usd", pack.stripe_product_id)


def test_dry_run_tells_and_does_nothing(
    stripe_sandbox: SandboxServer, gateway: StripeGateway, pack: CreditPack
) -> None:
    assert actions(gateway, dry_run=True) == ["create_product", "create_price"]

    pack.refresh_from_db()
    assert pack.stripe_price_id == ""
    assert prices(stripe_sandbox) == []


def test_changed_price_gets_a_successor_and_the_old_one_ends(
    stripe_sandbox: SandboxServer, gateway: StripeGateway, pack: CreditPack
) -> None:
    actions(gateway)
    for price_minor in (1200, 1000):  # and back again
        CreditPack.objects.update(price_minor=price_minor)
        assert actions(gateway) == ["create_price", "deactivate_price"]

    assert prices(stripe_sandbox) == [(1000, True), (1200, False), (1000, False)]
    assert len(stripe_sandbox.control.list_objects("product")) == 1


def test_two_runs_that_saw_the_same_rows_make_no_twins(
    stripe_sandbox: SandboxServer, gateway: StripeGateway, pack: CreditPack
) -> None:
    actions(gateway)
    CreditPack.objects.update(stripe_product_id="", stripe_price_id="")  # as the other run still sees it

    actions(gateway)

    assert len(prices(stripe_sandbox)) == 1
    assert len(stripe_sandbox.control.list_objects("product")) == 1


def test_price_that_stripe_does_not_know_is_made_anew(gateway: StripeGateway, pack: CreditPack) -> None:
    CreditPack.objects.update(stripe_price_id="price_lost", stripe_product_id="prod_lost")  # test keys became live ones

    assert actions(gateway) == ["create_product", "create_price"]
    assert actions(gateway) == []


def make_price(gateway: StripeGateway, **fields: Any) -> str:
    product = gateway.create_product(name="typed in", reference="x", idempotency_key="product-x")
    terms = {"product_id": product.id, "amount_minor": 1000, "currency": "usd", "reference": "x"}
    return gateway.create_price(**{**terms, "idempotency_key": f"price-{fields}", **fields}).id


def test_fitting_price_typed_in_is_adopted_and_left_alone(gateway: StripeGateway, pack: CreditPack) -> None:
    price_id = make_price(gateway)

    price = adopt_price(price_id=price_id, amount_minor=1000, currency="usd", gateway=gateway)
    CreditPack.objects.update(stripe_price_id=price.id, stripe_product_id=price.product_id)

    assert actions(gateway) == []


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"amount_minor": 999}, r"it is \$9\.99, the pack is \$10\.00"),
        ({"currency": "eur"}, r"it is €10\.00, the pack is \$10\.00"),
    ],
)
def test_price_of_another_amount_or_currency_is_not_adopted(
    gateway: StripeGateway, fields: dict[str, Any], fault: str
) -> None:
    price_id = make_price(gateway, **fields)

    with pytest.raises(InvalidRequest, match=fault) as caught:
        adopt_price(price_id=price_id, amount_minor=1000, currency="usd", gateway=gateway)
    assert caught.value.field == "stripe_price_id"


def test_inactive_recurring_and_unknown_prices_are_not_adopted(
    gateway: StripeGateway, stripe_sandbox: SandboxServer
) -> None:
    ended, recurring = make_price(gateway), make_price(gateway, reference="recurring")
    gateway.deactivate_price(price_id=ended, idempotency_key="end")
    with stripe_sandbox.sandbox.work():
        stored = stripe_sandbox.sandbox.require("price", recurring)
        interval = {"interval": "month", "interval_count": 1, "trial_period_days": None, "usage_type": "licensed"}
        stripe_sandbox.sandbox.store.put({**stored, "type": "recurring", "recurring": {**interval, "meter": None}})

    for price_id, fault in ((ended, "not active"), (recurring, "recurs"), ("price_unknown", "knows no price")):
        with pytest.raises(InvalidRequest, match=fault):
            adopt_price(price_id=price_id, amount_minor=1000, currency="usd", gateway=gateway)


# --- The command


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("sync_stripe_catalog", *arguments, stdout=out)
    return out.getvalue()


@pytest.mark.usefixtures("gateway")
def test_command_tells_what_it_does_and_then_that_all_is_in_line(pack: CreditPack) -> None:
    dry = run("--dry-run")
    assert "would create price $10.00" in dry
    assert "portal_without_sale: would configure portal" in dry
    made = json.loads(run("--json"))
    assert [change["action"] for change in made["changes"]] == ["create_product", "create_price", "configure_portal"]
    assert made["changes"][-1]["item"] == "portal_without_sale"
    assert made["changes"][-1]["object_id"].startswith("bpc_")
    assert run() == "The catalog is in line.\n"


def test_command_exits_with_1_where_stripe_refuses(gateway: StripeGateway, pack: CreditPack) -> None:
    actions(gateway)
    CreditPack.objects.update(
        slug="renamed", stripe_product_id="", stripe_price_id=""
    )  # the key comes with other values
    other = make_pack()

    with pytest.raises(SystemExit) as caught:
        run()

    assert caught.value.code == 1
    other.refresh_from_db()
    assert other.stripe_price_id  # the refusal did not stop the rest


def test_command_exits_with_2_where_stripe_cannot_be_reached(pack: CreditPack, settings: Any) -> None:
    settings.STRIPE_API_BASE = "http://127.0.0.1:1"

    with pytest.raises(CommandError) as caught:
        run()

    assert caught.value.returncode == 2

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from billing.gateway.client import StripeGateway
from billing.models import CreditPack
from billing.tests.admin.conftest import World
from billing.tests.shop import make_pack

pytestmark = pytest.mark.django_db


def form_of(pack: CreditPack, **changes: Any) -> dict[str, Any]:
    names = ("name", "slug", "description", "credits", "bonus_credits", "price_minor", "currency", "position")
    return {**{name: getattr(pack, name) for name in names}, "lifetime_days": "", "is_active": "on", **changes}


def change(pack: CreditPack) -> str:
    return f"/admin/billing/creditpack/{pack.pk}/change/"


def adopt(pack: CreditPack) -> str:
    return f"/admin/billing/creditpack/{pack.pk}/adopt-price/"


def make_price(gateway: StripeGateway, *, amount_minor: int) -> str:
    product = gateway.create_product(name="By hand", reference="hand", idempotency_key=f"product-{amount_minor}")
    price = gateway.create_price(
        product_id=product.id,
        amount_minor=amount_minor,
        currency="usd",
        reference="hand",
        idempotency_key=f"price-{amount_minor}",
    )
    return price.id


def test_staff_edit_what_is_for_sale(admin: Client) -> None:
    pack = make_pack()

    assert admin.post(change(pack), form_of(pack, price_minor=1200)).status_code == 302

    pack.refresh_from_db()
    assert pack.price_minor == 1200


def test_a_price_of_nothing_is_refused(admin: Client) -> None:
    pack = make_pack()

    assert admin.post(change(pack), form_of(pack, price_minor=0)).status_code == 200

    pack.refresh_from_db()
    assert pack.price_minor == 1000


def test_a_pack_that_was_sold_keeps_its_address_and_stays(admin: Client, world: World) -> None:
    admin.post(change(world.pack), form_of(world.pack, slug="renamed"))
    admin.post(f"/admin/billing/creditpack/{world.pack.pk}/delete/", {"post": "yes"})

    world.pack.refresh_from_db()
    assert world.pack.slug == "standard"


def test_an_existing_price_is_adopted(admin: Client, gateway: StripeGateway) -> None:
    pack, price_id = make_pack(), make_price(gateway, amount_minor=1000)

    response = admin.post(adopt(pack), {"price_id": f" {price_id} "})

    assert response["Location"] == change(pack)
    pack.refresh_from_db()
    assert pack.stripe_price_id == price_id
    assert pack.stripe_product_id.startswith("prod_")


@pytest.mark.parametrize(("amount_minor", "fault"), [(1001, "it is $10.01"), (None, "Stripe knows no price")])
def test_a_price_that_does_not_fit_is_refused(
    admin: Client, gateway: StripeGateway, amount_minor: int | None, fault: str
) -> None:
    pack = make_pack()
    price_id = make_price(gateway, amount_minor=amount_minor) if amount_minor else "price_missing"

    page = admin.post(adopt(pack), {"price_id": price_id})

    assert fault in page.content.decode()
    pack.refresh_from_db()
    assert pack.stripe_price_id == ""


def test_stripe_out_of_reach_is_told_and_changes_nothing(admin: Client, settings: Any) -> None:
    settings.STRIPE_API_BASE = "http://127.0.0.1:1"
    pack = make_pack()

    page = admin.post(adopt(pack), {"price_id": "price_1"})

    assert page.status_code == 200
    pack.refresh_from_db()
    assert pack.stripe_price_id == ""


def test_a_changed_price_is_announced_until_stripe_has_it(admin: Client) -> None:
    pack = make_pack(stripe_price_id="price_old")

    response = admin.post(change(pack), form_of(pack, price_minor="1200"), follow=True)

    pack.refresh_from_db()
    assert pack.price_minor == 1200
    assert "until then buying it is refused" in response.content.decode()


def test_the_slug_of_the_page_for_custom_amounts_is_refused(admin: Client) -> None:
    pack = make_pack()

    response = admin.post(change(pack), form_of(pack, slug="custom"))

    pack.refresh_from_db()
    assert pack.slug != "custom"
    assert "Choose another." in response.content.decode()

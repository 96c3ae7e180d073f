"""To whom something is sold: nobody, everybody, a part of the customers that only grows, and staff always."""

import pytest
from pytest_django import Settings

from billing.errors import NothingSold, PackUnavailable
from billing.gateway.client import StripeGateway
from billing.models import BillingCustomer, CreditPack, Payment
from billing.selectors.selling import cohort_place, sells_to
from billing.services.customers import create_external_customer
from billing.services.holds import place_hold, settle_hold
from billing.services.top_ups.consenting import Choice, propose
from billing.tests.shop import make_customer, open_checkout
from billing.tests.views.rows import add_entry

pytestmark = pytest.mark.django_db


def staffed(customer: BillingCustomer, **fields: bool) -> BillingCustomer:
    """The customer, whose user is of the staff."""
    assert customer.user is not None
    for name, value in {"is_staff": True, **fields}.items():
        setattr(customer.user, name, value)
    customer.user.save()
    return customer


@pytest.mark.parametrize("percent", [0, 1, 37, 99, 100])
def test_the_cohort_is_who_comes_before_the_percentage(percent: int, settings: Settings) -> None:
    customers = [BillingCustomer(public_id=f"cust_{number}") for number in range(2_000)]
    settings.STRIPE_BILLING_COHORT = percent

    sold_to = [customer for customer in customers if sells_to(customer)]

    assert {cohort_place(customer.public_id) < percent for customer in sold_to} <= {True}
    assert abs(len(sold_to) - 20 * percent) < 150


def test_a_place_in_the_cohort_is_for_ever() -> None:
    assert [cohort_place(f"cust_{name}") for name in ("ada", "bob", "eve")] == [30, 17, 69]


def test_who_was_sold_to_stays_in_as_the_percentage_grows(settings: Settings) -> None:
    customers = [BillingCustomer(public_id=f"cust_{number}") for number in range(500)]
    before: set[str] = set()

    for percent in range(0, 101, 10):
        settings.STRIPE_BILLING_COHORT = percent
        now = {customer.public_id for customer in customers if sells_to(customer)}
        assert before <= now
        before = now

    assert len(before) == len(customers)


def test_staff_are_sold_to_whatever_the_percentage(settings: Settings) -> None:
    settings.STRIPE_BILLING_COHORT = 0

    assert sells_to(staffed(make_customer()))
    assert not sells_to(make_customer())
    assert not sells_to(staffed(make_customer(), is_active=False))
    assert not sells_to(create_external_customer(external_id="acme")[0])


def test_nobody_is_sold_to_while_billing_is_off_not_even_staff(settings: Settings) -> None:
    settings.STRIPE_BILLING_ENABLED = False

    assert not sells_to(staffed(make_customer()))


@pytest.mark.parametrize("off", [{"STRIPE_BILLING_ENABLED": False}, {"STRIPE_BILLING_COHORT": 0}])
def test_no_checkout_opens_for_who_is_not_sold_to(
    off: dict[str, object], gateway: StripeGateway, customer: BillingCustomer, pack: CreditPack, settings: Settings
) -> None:
    for name, value in off.items():
        setattr(settings, name, value)

    with pytest.raises(NothingSold):
        open_checkout(customer=customer, pack=pack, gateway=gateway)
    with pytest.raises(PackUnavailable):
        propose(customer=customer, choice=Choice(pack=pack.slug, threshold=pack.credits / 2, ceiling_minor=10_000))

    assert not Payment.objects.exists()


def test_spending_goes_on_while_nothing_is_sold(customer: BillingCustomer, settings: Settings) -> None:
    add_entry(customer, "100")
    settings.STRIPE_BILLING_ENABLED = False

    hold = place_hold(customer_id=customer.pk, amount=60, key="api:work")
    settle_hold(hold=hold.public_id, amount=40, description="Work")

    customer.balance.refresh_from_db()
    assert customer.balance.posted == 60

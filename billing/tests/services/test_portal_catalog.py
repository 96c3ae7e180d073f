"""The portal at Stripe gets what is on offer: each change is made, none is made twice, whatever was lost on the way."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from pytest_django import Settings

from billing.errors import StripeUnavailable
from billing.gateway.client import StripeGateway
from billing.gateway.portal import PortalConfigurationFacts
from billing.models import Plan, PlanPrice, PortalConfiguration
from billing.services.catalog import sync_catalog
from billing.services.portal_catalog import portal_configuration_id, sync_portal
from billing.tests.threads import at_once
from sandbox.stripe.faults import FaultKind
from sandbox.stripe.server import SandboxServer

pytestmark = pytest.mark.django_db
ADDRESS = "/v1/billing_portal/configurations"
TRIES = 3  # of the SDK for one call


class Portal:
    """The portal of two plans, one of which is switched on and off."""

    def __init__(self, *, sandbox: SandboxServer, gateway: StripeGateway) -> None:
        self.sandbox, self.gateway = sandbox, gateway
        for rank, slug in enumerate(["pro", "plus"], start=1):
            terms = {"name": slug, "price_minor": 1900 * rank, "credits": Decimal(20_000)}
            Plan.objects.create(slug=slug, rank=rank, **terms)
        list(sync_catalog(gateway=gateway))

    def switch(self, *, on: bool) -> None:
        Plan.objects.filter(slug="plus").update(is_active=on)

    def sync(self, *, dry_run: bool = False) -> int:
        """How many changes were told."""
        return len(self.told(dry_run=dry_run))

    def told(self, *, dry_run: bool = False) -> list[str]:
        """Which of the two was, or would be, set up."""
        found = [list(sync_portal(sells=sells, gateway=self.gateway, dry_run=dry_run)) for sells in (True, False)]
        return [change.item for changes in found for change in changes]

    def lose(self, kind: FaultKind) -> None:
        """Nobody hears of the next change, and with an error it is not even made."""
        self.sandbox.control.add_fault(kind, method="POST", path=ADDRESS, times=TRIES)
        with pytest.raises(StripeUnavailable):
            self.sync()

    @property
    def keys(self) -> list[str]:
        """Of the requests that changed it."""
        events = self.sandbox.control.list_events("billing_portal.configuration.updated")
        return [event["request"]["idempotency_key"] for event in events]

    @property
    def at_stripe(self) -> PortalConfigurationFacts:
        return self.gateway.retrieve_portal_configuration(configuration_id=portal_configuration_id(sells=True))

    def update_of(self, *, sells: bool) -> dict[str, Any]:
        """What one of the two says of changes of plan."""
        stored = self.sandbox.control.get_object(portal_configuration_id(sells=sells)) or {}
        update: dict[str, Any] = stored["features"]["subscription_update"]
        return update

    def deactivate(self, *, sells: bool) -> str:
        """Somebody switches one of the two off at Stripe; its id."""
        configuration_id = portal_configuration_id(sells=sells)
        self.gateway._client.v1.billing_portal.configurations.update(configuration_id, {"active": False})
        return configuration_id

    @property
    def plans_count(self) -> int:
        """How many plans customers can change to."""
        return len(self.at_stripe.price_ids)


@pytest.fixture
def portal(stripe_sandbox: SandboxServer, gateway: StripeGateway) -> Portal:
    return Portal(sandbox=stripe_sandbox, gateway=gateway)


def test_each_switch_within_a_minute_is_made(portal: Portal) -> None:
    for count, on in enumerate([False, True, False, True], start=1):
        portal.switch(on=on)

        assert (portal.sync(dry_run=True), portal.sync(), portal.sync()) == (1, 1, 0)

        assert portal.plans_count == 1 + on
        assert len(set(portal.keys)) == len(portal.keys) == count
    assert PortalConfiguration.objects.filter(sells=True).count() == 1


def test_a_change_that_was_not_made_is_asked_for_under_the_same_key(
    portal: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    update = type(portal.gateway).update_portal_configuration

    def remember(self: StripeGateway, **arguments: str) -> object:
        asked.append(arguments["idempotency_key"])
        return update(self, **arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(type(portal.gateway), "update_portal_configuration", remember)
    portal.switch(on=False)

    portal.lose("error")
    assert portal.plans_count == 2
    assert portal.sync() == 1

    assert (len(asked), len(set(asked)), portal.keys, portal.plans_count) == (2, 1, asked[:1], 1)


def test_a_change_whose_answer_was_lost_is_seen_and_not_made_again(portal: Portal) -> None:
    portal.switch(on=False)

    portal.lose("dropped_connection")
    assert portal.sync() == 0

    assert (len(portal.keys), portal.plans_count) == (1, 1)
    assert PortalConfiguration.objects.get(sells=True).digest == portal.at_stripe.digest


def test_switched_back_after_a_lost_answer_it_is_switched_back_at_stripe(portal: Portal) -> None:
    portal.switch(on=False)
    portal.lose("dropped_connection")
    portal.switch(on=True)
    portal.lose("dropped_connection")
    portal.switch(on=False)

    assert portal.sync() == 1

    assert (len(portal.keys), portal.plans_count) == (3, 1)


def test_a_request_that_comes_late_is_set_right_by_the_next_run(
    portal: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was given up here and still is on its way, while something else is set."""
    update = type(portal.gateway).update_portal_configuration
    on_their_way: list[Callable[[], object]] = []

    def post_slowly(self: StripeGateway, **arguments: str) -> object:
        on_their_way.append(lambda: update(self, **arguments))  # type: ignore[arg-type]
        raise StripeUnavailable("It took too long.")

    portal.switch(on=False)
    with monkeypatch.context() as patched:
        patched.setattr(type(portal.gateway), "update_portal_configuration", post_slowly)
        with pytest.raises(StripeUnavailable):
            portal.sync()
    Plan.objects.filter(slug="pro").update(is_active=False)
    portal.switch(on=True)
    assert portal.sync() == 1

    on_their_way[0]()
    assert portal.sync() == 1

    wanted = PlanPrice.objects.get(plan__slug="plus")
    assert portal.at_stripe.price_ids == (wanted.stripe_price_id,)
    assert len(set(portal.keys)) == len(portal.keys) == 3


def test_a_configuration_that_was_switched_off_at_stripe_gets_a_successor(portal: Portal) -> None:
    first = portal_configuration_id(sells=True)
    spare = portal.gateway.create_portal_configuration(plans=[], return_url="http://x.test", idempotency_key="spare")
    PortalConfiguration.objects.create(configuration_id=spare.id, digest="")
    portal.deactivate(sells=True)

    assert (portal.sync(), portal.sync()) == (1, 0)

    assert portal_configuration_id(sells=True) not in (first, spare.id)
    assert portal.plans_count == 2


def test_there_are_two_and_one_of_them_changes_no_plan(portal: Portal) -> None:
    of_each = [PortalConfiguration.objects.get(sells=sells) for sells in (True, False)]

    assert [portal.update_of(sells=sells)["enabled"] for sells in (True, False)] == [True, False]
    stored = [portal.sandbox.control.get_object(one.configuration_id) or {} for one in of_each]
    for feature in ("customer_update", "invoice_history", "payment_method_update", "subscription_cancel"):
        assert stored[0]["features"][feature] == stored[1]["features"][feature]
        assert stored[1]["features"][feature]["enabled"]
    assert [one["metadata"]["digest"] for one in stored] == [one.digest for one in of_each]
    assert len({one["metadata"]["set_by"] for one in stored}) == 2


def test_each_of_the_two_is_kept_up_to_date_by_itself(portal: Portal, settings: Settings) -> None:
    before = portal_configuration_id(sells=False)

    portal.switch(on=False)
    assert (portal.told(dry_run=True), portal.told(), portal.told()) == (["portal"], ["portal"], [])

    settings.SITE_URL = "https://moved.example.com"
    both = ["portal", "portal_without_sale"]
    assert (portal.told(dry_run=True), portal.told(), portal.told()) == (both, both, [])

    assert portal_configuration_id(sells=False) == before
    stored = portal.sandbox.control.get_object(before) or {}
    assert stored["default_return_url"] == "https://moved.example.com/billing/plans/"
    assert not portal.update_of(sells=False)["enabled"]
    assert len(set(portal.keys)) == len(portal.keys) == 3


def test_each_of_the_two_gets_a_successor_of_its_own(portal: Portal) -> None:
    sells = portal_configuration_id(sells=True)
    gone = portal.deactivate(sells=False)

    assert (portal.told(dry_run=True), portal.told(), portal.told()) == (
        ["portal_without_sale"],
        ["portal_without_sale"],
        [],
    )

    assert portal_configuration_id(sells=False) not in (gone, sells)
    assert portal_configuration_id(sells=True) == sells
    assert not portal.update_of(sells=False)["enabled"]


def test_the_one_without_sale_comes_with_an_upgrade(portal: Portal) -> None:
    PortalConfiguration.objects.filter(sells=False).delete()  # as code from before it left things
    sells = portal_configuration_id(sells=True)

    assert portal.told() == ["portal_without_sale"]

    assert portal_configuration_id(sells=True) == sells
    assert portal_configuration_id(sells=False) not in ("", sells)


def test_the_one_without_sale_needs_no_plans(gateway: StripeGateway) -> None:
    assert [change.item for change in sync_catalog(gateway=gateway)] == ["portal_without_sale"]

    assert (portal_configuration_id(sells=True), bool(portal_configuration_id(sells=False))) == ("", True)


def test_after_the_last_plan_no_portal_changes_to_one(portal: Portal) -> None:
    Plan.objects.update(is_active=False)

    assert (portal.told(), portal.told()) == (["portal"], [])

    assert not portal.update_of(sells=True)["enabled"]
    Plan.objects.filter(slug="pro").update(is_active=True)
    assert portal.told() == ["portal"]
    assert portal.update_of(sells=True)["enabled"]


def test_one_that_stripe_refuses_does_not_stop_the_other(portal: Portal) -> None:
    PortalConfiguration.objects.filter(sells=False).delete()
    Plan.objects.update(stripe_product_id=Plan.objects.get(slug="pro").stripe_product_id)  # which one price is not of

    told = [(change.item, change.action) for change in sync_catalog(gateway=portal.gateway)]

    assert told == [("portal", "refused"), ("portal_without_sale", "configure_portal")]
    portal.sandbox.breaches.clear()


@pytest.mark.django_db(transaction=True)
def test_runs_at_once_change_it_once(stripe_sandbox: SandboxServer, gateway: StripeGateway) -> None:
    portal = Portal(sandbox=stripe_sandbox, gateway=gateway)
    portal.switch(on=False)

    at_once(*[portal.sync] * 4)

    assert (len(portal.keys), portal.plans_count) == (1, 1)

"""Setting prices: versions, starts, bounds, who set them, and two people at once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from accounts.models import User
from billing.errors import InvalidRequest, UnknownModel, UnknownOperation
from billing.models import AuditEntry, OperationPrice, PricingConfig
from billing.selectors.price_book import open_price_book
from billing.selectors.prices import (
    find_operation_price,
    find_price,
    offered_models,
    offered_prices,
    versions_of,
)
from billing.services.prices import (
    NO_VERSION,
    newest_id,
    set_price,
    terms_of_model,
    withdraw_operation_price,
    withdraw_price,
)
from billing.tests.prices import LONG_AGO, make_operation_price, make_price
from billing.tests.threads import at_once

pytestmark = pytest.mark.django_db
TICK = timedelta(microseconds=1)


def refusal_of(act: Callable[[], object]) -> str:
    """The field that was refused; nothing may have been written."""
    before = PricingConfig.objects.count(), OperationPrice.objects.count(), AuditEntry.objects.count()
    with pytest.raises(InvalidRequest) as refused:
        act()
    assert (PricingConfig.objects.count(), OperationPrice.objects.count(), AuditEntry.objects.count()) == before
    assert refused.value.fault
    assert refused.value.remedy
    return refused.value.field


def test_first_version_may_start_in_the_past() -> None:
    version = make_price(effective_from=LONG_AGO)

    assert find_price(model="test-model", at=LONG_AGO) == version
    with pytest.raises(UnknownModel):
        find_price(model="test-model", at=LONG_AGO - TICK)


def test_version_without_a_start_holds_from_now() -> None:
    make_price()
    before = timezone.now()

    version = make_price(input_usd_per_1k=Decimal("0.005"))

    assert before <= version.effective_from <= timezone.now()


def test_each_moment_has_the_version_that_started_last() -> None:
    start = timezone.now() + timedelta(days=1)
    first, second = make_price(), make_price(markup_percent=Decimal(10), effective_from=start)

    assert find_price(model="test-model", at=start - TICK) == first
    assert find_price(model="test-model", at=start) == second
    assert find_price(model="test-model", at=start + TICK) == second
    assert [version.pk for version in versions_of(models=["test-model"])["test-model"]] == [second.pk, first.pk]


def test_period_that_was_charged_keeps_its_price() -> None:
    make_price()

    assert refusal_of(lambda: make_price(effective_from=timezone.now() - timedelta(seconds=5))) == "effective_from"


def test_two_versions_at_one_moment_are_refused() -> None:
    start = timezone.now() + timedelta(days=1)
    make_price()
    make_price(effective_from=start)

    assert refusal_of(lambda: make_price(effective_from=start)) == "effective_from"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("input_usd_per_1k", Decimal("-0.000000001")),
        ("input_usd_per_1k", Decimal("1000.000000001")),
        ("output_usd_per_1k", Decimal(-1)),
        ("output_usd_per_1k", Decimal("0.0000000001")),
        ("output_usd_per_1k", Decimal("Infinity")),
        ("output_usd_per_1k", Decimal("NaN")),
        ("cached_input_usd_per_1k", Decimal("NaN")),
        ("request_usd", Decimal(1001)),
        ("cached_input_usd_per_1k", Decimal("0.001000001")),
        ("markup_percent", Decimal(-1)),
        ("markup_percent", Decimal("10000.001")),
        ("output_reserve_tokens", 0),
        ("output_reserve_tokens", 10_000_001),
        ("model", ""),
        ("model", "a model"),
        ("model", "m" * 121),
        ("note", "n" * 301),
    ],
)
def test_what_cannot_be_a_price_is_refused_by_its_field(field: str, value: Any) -> None:
    assert refusal_of(lambda: make_price(**{"model": "test-model", field: value})) == field


def test_prices_at_their_bounds_are_taken() -> None:
    most = Decimal(1000)
    make_price(model="dear", input_usd_per_1k=most, cached_input_usd_per_1k=most, output_usd_per_1k=most)
    make_price(model="free", input_usd_per_1k=Decimal(0), cached_input_usd_per_1k=Decimal(0))

    assert offered_models(at=timezone.now()) == ["dear", "free"]


@pytest.mark.parametrize(
    ("field", "terms"),
    [
        ("credits", {"credits": None}),
        ("credits", {"credits": Decimal(5), "usd": Decimal(1)}),
        ("credits", {"credits": Decimal(-1)}),
        ("credits", {"credits": Decimal("NaN")}),
        ("credits", {"credits": Decimal("1000000.000001")}),
        ("credits", {"credits": Decimal("0.0000001")}),
        ("markup_percent", {"credits": Decimal(5), "markup_percent": Decimal(1)}),
        ("markup_percent", {"usd": Decimal(5), "markup_percent": Decimal(-1)}),
        ("usd", {"usd": Decimal(1001)}),
        ("usd", {"usd": Decimal(-1)}),
        ("operation", {"operation": "an image"}),
        ("name", {"name": ""}),
    ],
)
def test_what_cannot_be_an_operation_is_refused_by_its_field(field: str, terms: dict[str, Any]) -> None:
    assert refusal_of(lambda: make_operation_price(**terms)) == field


def test_operation_gets_a_new_version_too() -> None:
    first = make_operation_price(credits=Decimal(5))
    second = make_operation_price(usd=Decimal("0.02"), markup_percent=Decimal(50))

    assert find_operation_price(operation="image", at=second.effective_from - TICK) == first
    assert find_operation_price(operation="image", at=second.effective_from) == second


def test_withdrawn_model_is_unknown_from_then_on_and_can_be_offered_again() -> None:
    offered = make_price()
    other = make_price(model="other")

    withdrawn = withdraw_price(model="test-model", note="The provider ends it.")

    assert find_price(model="test-model", at=withdrawn.effective_from - TICK) == offered
    with pytest.raises(UnknownModel) as refused:
        find_price(model="test-model", at=withdrawn.effective_from)
    assert refused.value.known == ["other"]
    assert "There are: other." in str(refused.value)
    assert offered_prices(at=timezone.now()) == [other]
    assert refusal_of(lambda: withdraw_price(model="test-model", note="Again")) == "model"
    again = set_price(terms=terms_of_model(offered))
    assert find_price(model="test-model", at=again.effective_from) == again


def test_withdrawn_operation_is_unknown_from_then_on() -> None:
    make_operation_price()
    make_operation_price(operation="scan")

    withdrawn = withdraw_operation_price(operation="image", note="No longer done.")

    with pytest.raises(UnknownOperation) as refused:
        find_operation_price(operation="image", at=withdrawn.effective_from)
    assert refused.value.known == ["scan"]
    assert refusal_of(lambda: withdraw_operation_price(operation="image", note="Again")) == "operation"


def test_unknown_model_is_refused_with_the_names_of_the_known_ones() -> None:
    make_price(model="small")
    make_price(model="large")
    make_price(model="later", effective_from=timezone.now() + timedelta(days=1))

    with pytest.raises(UnknownModel) as refused:
        find_price(model="middle", at=timezone.now())

    assert refused.value.known == ["large", "small"]
    assert "'middle'" in str(refused.value)


def test_unknown_model_gets_the_default_price_where_one_is_named(settings: Any) -> None:
    settings.DEFAULT_PRICE_MODEL = "small"
    make_price(model="small")

    version = find_price(model="brand-new", at=timezone.now())

    assert version.model == "small"


def test_withdrawn_model_does_not_get_the_default_price(settings: Any) -> None:
    settings.DEFAULT_PRICE_MODEL = "small"
    make_price(model="small")
    make_price(model="gone")
    withdraw_price(model="gone", note="Ended")

    with pytest.raises(UnknownModel):
        find_price(model="gone", at=timezone.now())


def test_default_price_that_is_none_refuses(settings: Any) -> None:
    settings.DEFAULT_PRICE_MODEL = "never-priced"
    make_price(model="small")

    with pytest.raises(UnknownModel):
        find_price(model="brand-new", at=timezone.now())


def test_prices_of_many_moments_are_those_of_each(settings: Any) -> None:
    settings.DEFAULT_PRICE_MODEL = "small"
    soon = timezone.now() + timedelta(days=1)
    make_price(model="small", effective_from=LONG_AGO)
    make_price(model="small", markup_percent=Decimal(5), effective_from=soon)
    make_price(model="gone", effective_from=LONG_AGO)
    withdraw_price(model="gone", note="Ended")
    make_price(model="later", effective_from=soon)
    names = ["small", "gone", "later", "unknown"]
    now = timezone.now()
    book = open_price_book(models=names, operations=[])

    for name in names:
        for at in (LONG_AGO - TICK, LONG_AGO, now, soon - TICK, soon, soon + TICK):
            try:
                alone: PricingConfig | None = find_price(model=name, at=at)
            except UnknownModel:
                alone = None
            assert book.find_price(model=name, at=at) == alone, (name, at)


def test_whoever_sets_a_price_is_audited_with_what_was_before() -> None:
    staff = User.objects.create_user("staff@example.com", is_staff=True)
    make_price(markup_percent=Decimal(20))

    version = make_price(markup_percent=Decimal("37.5"), note="New contract", actor=staff, address="203.0.113.7")

    entry = AuditEntry.objects.latest("pk")
    assert (entry.actor, entry.action, entry.reason) == (staff, "pricingconfig.set", "New contract")
    assert (entry.address, entry.target_id) == ("203.0.113.7", str(version.pk))
    assert entry.before["markup_percent"] == "20"
    assert entry.after["markup_percent"] == "37.5"
    assert entry.after["effective_from"] == version.effective_from.isoformat()
    assert version.created_by == staff


@pytest.mark.parametrize("make", [make_price, make_operation_price])
@pytest.mark.parametrize("act", ["UPDATE {} SET note = 'x'", "DELETE FROM {}", "TRUNCATE {} CASCADE"])
def test_database_refuses_to_change_a_version(make: Callable[[], PricingConfig | OperationPrice], act: str) -> None:
    version = make()

    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL prepaid.allow_truncate = 'off'")  # as in every database but a test's
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # what waits for the commit would refuse a TRUNCATE as well

        with pytest.raises(DatabaseError, match="pgtrigger: Cannot"), transaction.atomic():
            cursor.execute(act.format(version._meta.db_table))

    version.refresh_from_db()
    assert version.note == ""


def test_somebody_elses_version_meanwhile_is_told() -> None:
    seen = newest_id([make_price()])
    make_price(markup_percent=Decimal(10), follows=seen)

    assert refusal_of(lambda: make_price(markup_percent=Decimal(20), follows=seen)) == "effective_from"
    assert refusal_of(lambda: make_price(follows=NO_VERSION)) == "effective_from"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("make", [make_price, make_operation_price])
def test_of_two_people_at_once_the_second_is_told(make: Callable[..., PricingConfig | OperationPrice]) -> None:
    seen = make().pk
    outcomes = outcomes_of(lambda: make(follows=seen), times=4)

    assert sorted(outcomes) == ["effective_from"] * 3 + ["set"]


@pytest.mark.django_db(transaction=True)
def test_of_two_versions_for_one_moment_one_is_set() -> None:
    make_price()
    start = timezone.now() + timedelta(hours=1)

    outcomes = outcomes_of(lambda: make_price(effective_from=start), times=4)

    assert sorted(outcomes) == ["effective_from"] * 3 + ["set"]


def outcomes_of(act: Callable[[], object], *, times: int) -> list[str]:
    """What becomes of the same act on so many connections at once: `set`, or the field that was refused."""

    def outcome() -> str:
        try:
            act()
        except InvalidRequest as refusal:
            return refusal.field
        return "set"

    return at_once(*[outcome] * times)

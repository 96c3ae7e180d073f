"""`charge_credits`: a fixed price around a piece of work."""

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory

from accounts.models import User
from billing.errors import InsufficientCredits, InvalidRequest, KeyLimitReached, UnknownOperation
from billing.models import CreditHold
from billing.services.verification import find_ledger_faults
from usage.metering import AlreadyCharged, charge_credits
from usage.models import Basis, UsageEvent, UsageStatus
from usage.tests.factories import balance_of, customer_of, make_key, make_operation_price, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _prices(db: None) -> None:
    make_operation_price("image", credits=5)
    make_operation_price("free", credits=0)


def request_of(user: User, **headers: str) -> HttpRequest:
    request = RequestFactory(headers=headers).get("/")
    request.user = user
    return request


def test_price_is_held_before_the_work_and_charged_after_it(user: User) -> None:
    with charge_credits(user, operation="image", quantity=3, idempotency_key="image:1", metadata={"a": 1}) as charge:
        assert balance_of(user).held == 15

    assert (charge.charged, balance_of(user).posted, balance_of(user).held) == (15, 985, 0)
    assert charge.event == UsageEvent.objects.get()
    assert (charge.event.basis, charge.event.status, charge.event.quantity) == (Basis.FIXED, UsageStatus.COMPLETED, 3)
    assert charge.event.metadata == {"a": 1}
    assert list(find_ledger_faults(customer_ids=[customer_of(user).pk])) == []


def test_exception_gives_the_price_back_and_passes_on(user: User) -> None:
    charge = charge_credits(user, operation="image", idempotency_key="image:1")

    with pytest.raises(ValueError, match="no colours"), charge:
        raise ValueError("no colours left")

    assert (charge.charged, charge.event.failure, balance_of(user).posted) == (0, "ValueError", 1000)
    assert CreditHold.objects.get().state == "released"


def test_work_that_says_it_failed_is_not_charged(user: User) -> None:
    with charge_credits(user, operation="image", idempotency_key="image:1") as charge:
        charge.fail("No colours left.")

    assert (charge.charged, charge.event.failure) == (0, "No colours left.")


def test_done_work_is_not_done_again(user: User) -> None:
    with charge_credits(user, operation="image", idempotency_key="image:1") as charge:
        pass

    with pytest.raises(AlreadyCharged) as refusal:
        charge_credits(user, operation="image", idempotency_key="image:1").__enter__()

    assert refusal.value.event == charge.event
    assert balance_of(user).posted == 995


@pytest.mark.parametrize(("credits", "is_enough"), [("4.999999", False), ("5", True)])
def test_price_must_be_covered(credits: str, is_enough: bool) -> None:
    user = make_user(credits=credits)
    runs = 0

    if is_enough:
        with charge_credits(user, operation="image", idempotency_key="image:1"):
            runs += 1
        assert balance_of(user).posted == 0
    else:
        with pytest.raises(InsufficientCredits):
            charge_credits(user, operation="image", idempotency_key="image:1").__enter__()
    assert runs == int(is_enough)


def test_free_operation_is_written_down_once(user: User) -> None:
    with charge_credits(user, operation="free", idempotency_key="free:1") as charge:
        pass

    assert (charge.charged, charge.event.entry, balance_of(user).posted) == (0, None, 1000)


def test_operation_without_a_price_is_refused(user: User) -> None:
    with pytest.raises(UnknownOperation):
        charge_credits(user, operation="no\0ne", idempotency_key="1").__enter__()


@pytest.mark.parametrize("quantity", [0, -1, 1_000_001])
def test_quantity_has_bounds(user: User, quantity: int) -> None:
    with pytest.raises(InvalidRequest):
        charge_credits(user, operation="image", quantity=quantity, idempotency_key="1").__enter__()


def test_key_s_limit_counts(user: User) -> None:

    key = make_key(user, monthly_limit=7).key
    with charge_credits(user, operation="image", idempotency_key="1", api_key=key):
        pass

    with pytest.raises(KeyLimitReached):
        charge_credits(user, operation="image", idempotency_key="2", api_key=key).__enter__()


def test_decorated_function_of_a_user_charges_each_call(user: User) -> None:
    @charge_credits(operation="image")
    def draw(user: User, what: str, *, size: int) -> str:
        return f"{what} {size}"

    assert draw(user, "a cat", size=2) == "a cat 2"
    assert draw(user, "a cat", size=2) == "a cat 2"
    assert draw.__name__ == "draw"
    assert balance_of(user).posted == 990


def test_decorated_function_may_name_its_work_by_its_arguments(user: User) -> None:
    @charge_credits(operation="image", idempotency_key=lambda user, number: f"image:{number}")
    def draw(user: User, number: int) -> int:
        return number

    assert (draw(user, 1), draw(user, 2)) == (1, 2)
    with pytest.raises(AlreadyCharged):
        draw(user, 1)
    assert balance_of(user).posted == 990


def test_decorated_function_that_raises_is_not_charged(user: User) -> None:
    @charge_credits(operation="image")
    def draw(user: User) -> None:
        raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011  # it is the function's own
        draw(user)
    assert balance_of(user).posted == 1000


@pytest.mark.parametrize(("status", "posted"), [(200, 995), (302, 995), (399, 995), (400, 1000), (500, 1000)])
def test_view_is_charged_unless_it_answers_with_an_error(user: User, status: int, posted: int) -> None:
    @charge_credits(operation="image")
    def view(request: HttpRequest) -> HttpResponse:
        return HttpResponse(status=status)

    assert view(request_of(user)).status_code == status
    assert balance_of(user).posted == posted


def test_view_that_cannot_be_paid_for_answers_402_and_is_not_called() -> None:
    calls = []

    @charge_credits(operation="image")
    def view(request: HttpRequest) -> HttpResponse:
        calls.append(request)
        return HttpResponse()

    answer = view(request_of(make_user(credits=1), Accept="application/json"))

    assert answer.status_code == 402
    assert b"insufficient_credits" in answer.content
    assert not calls


def test_misuse_is_told(user: User) -> None:
    with pytest.raises(TypeError, match="idempotency_key"):
        charge_credits(user, operation="image").__enter__()
    with pytest.raises(TypeError, match="user"):
        charge_credits(operation="image", idempotency_key="1").__enter__()
    with pytest.raises(TypeError, match="decorator"):
        charge_credits(user, operation="image")(print)
    with pytest.raises(TypeError, match="signed-in"):
        charge_credits(operation="image")(print)("nobody")

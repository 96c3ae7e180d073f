"""The mark that asks for a top-up: set by spending that crosses the threshold from above, and by nothing else."""

from collections.abc import Callable
from decimal import Decimal

import pytest
from django.utils import timezone

from billing import wake
from billing.errors import InsufficientCredits
from billing.kinds import EntryKind
from billing.ledger import balances
from billing.models import BillingCustomer
from billing.services.holds import release_hold, settle_hold
from billing.services.posting import BatchMode, post_many
from billing.tests.ledger.conftest import Clock
from billing.tests.ledger.steps import balance_of, buy, claw_back, give, hold_for, post_one, posting_of, use

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]
THRESHOLD = Decimal(40)


@pytest.fixture
def armed(rich: BillingCustomer) -> BillingCustomer:
    """100 credits, and a top-up asked for below 40."""
    balances.arm_top_up(customer_id=rich.pk, below=THRESHOLD)
    return rich


def is_due(customer: BillingCustomer) -> bool:
    return balance_of(customer).top_up_due_at is not None


@pytest.mark.parametrize(("second_grant", "first", "crossing"), [(0, 60, "0.000001"), (20, 80, "20.000001")])
def test_usage_that_crosses_the_threshold_marks_it(
    armed: BillingCustomer, clock: Clock, second_grant: int, first: int, crossing: str
) -> None:
    """Whichever of the two statements writes it: a debit of one grant has another than one of several."""
    if second_grant:
        give(armed, second_grant)
    use(armed, first)
    assert not is_due(armed)  # 40 are not below 40

    use(armed, crossing, key="api:crossing")

    assert balance_of(armed).top_up_due_at == clock.now


def test_a_hold_that_crosses_marks_it_and_its_release_leaves_the_mark(armed: BillingCustomer) -> None:
    hold = hold_for(armed, "60.000001")

    assert is_due(armed)
    release_hold(hold=hold.public_id)
    assert is_due(armed)  # whoever decides sees that there is enough again


@pytest.mark.parametrize(
    ("held", "cost", "crosses"), [(10, 60, False), (10, 61, True), (61, 61, False), (10, 0, False)]
)
def test_a_settlement_counts_what_it_takes_beyond_its_hold(
    armed: BillingCustomer, held: int, cost: int, crosses: bool
) -> None:
    hold = hold_for(armed, held)
    balances.put_off_top_up(customer_id=armed.pk, until=None)

    settle_hold(hold=hold.public_id, amount=cost)

    assert is_due(armed) is crosses


def test_below_the_threshold_already_nothing_crosses(armed: BillingCustomer) -> None:
    use(armed, 70)
    balances.put_off_top_up(customer_id=armed.pk, until=None)

    use(armed, 1, key="api:more")

    assert not is_due(armed)


def test_what_was_put_off_keeps_its_time(armed: BillingCustomer, clock: Clock) -> None:
    later = clock.after(hours=6)
    balances.put_off_top_up(customer_id=armed.pk, until=later)

    use(armed, 70)

    assert balance_of(armed).top_up_due_at == later


def test_no_refused_debit_marks_it(armed: BillingCustomer) -> None:
    with pytest.raises(InsufficientCredits):
        use(armed, 101)

    assert not is_due(armed)


def _claw_back(customer: BillingCustomer) -> None:
    payment = buy(customer, 100)
    use(customer, 150)
    claw_back(payment, 50)


def _staff(customer: BillingCustomer) -> None:
    post_one(customer, EntryKind.ADJUSTMENT, -90)


@pytest.mark.parametrize("take", [_claw_back, _staff])
def test_claw_backs_and_staff_never_mark_it(armed: BillingCustomer, take: Callable[[BillingCustomer], None]) -> None:
    take(armed)

    assert balance_of(armed).posted < THRESHOLD
    assert not is_due(armed)


def test_expiry_never_marks_it(customer: BillingCustomer, clock: Clock) -> None:
    give(customer, 39)
    give(customer, 61, expires_at=clock.after(hours=1))
    balances.arm_top_up(customer_id=customer.pk, below=THRESHOLD)
    clock.move(hours=2)

    use(customer, 1)

    assert balance_of(customer).posted == 38
    assert not is_due(customer)


def test_expiry_that_a_settlement_brings_never_marks_it(customer: BillingCustomer, clock: Clock) -> None:
    """What only the hold kept of lapsed credits goes with it, and that is no spending."""
    give(customer, 100, expires_at=clock.after(minutes=5))
    hold = hold_for(customer, 50)
    balances.arm_top_up(customer_id=customer.pk, below=Decimal(10))
    clock.move(minutes=6)

    settle_hold(hold=hold.public_id, amount=10)

    assert balance_of(customer).posted == 0
    assert not is_due(customer)


def test_unarmed_nothing_is_marked(rich: BillingCustomer) -> None:
    balances.arm_top_up(customer_id=rich.pk, below=THRESHOLD)
    balances.disarm_top_up(customer_id=rich.pk)
    balances.put_off_top_up(customer_id=rich.pk, until=timezone.now())

    use(rich, 100)

    balance = balance_of(rich)
    assert (balance.top_up_below, balance.top_up_due_at) == (None, None)


def test_in_a_batch_only_who_crossed_is_marked_and_woken(
    armed: BillingCustomer, quiet_broker: list[str], django_capture_on_commit_callbacks: Callable[..., object]
) -> None:
    postings = [posting_of(armed, EntryKind.USAGE, amount) for amount in (-30, -200, -31, -1)]

    with django_capture_on_commit_callbacks(execute=True):  # type: ignore[attr-defined]
        outcomes = post_many(postings=postings, mode=BatchMode.EACH)

    assert [outcome.refusal is None for outcome in outcomes] == [True, False, True, True]
    assert is_due(armed)
    assert quiet_broker == [wake.TOP_UP]

"""`correct_usage`: shows first, acts when told, and says by its exit code what is left."""

import json
from datetime import timedelta
from decimal import Decimal
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from billing.models import BillingCustomer, PricingConfig
from billing.tests.ledger.factories import make_customer
from billing.tests.ledger.steps import balance_of
from usage.models import UsageCorrection
from usage.tests.corrections import MODEL, make_price, overcharge

pytestmark = pytest.mark.django_db


def run(*arguments: str) -> tuple[int, str]:
    """Exit code and output."""
    out = StringIO()
    try:
        call_command("correct_usage", *arguments, stdout=out)
    except SystemExit as end:
        return int(end.code or 0), out.getvalue()
    except CommandError as error:
        return error.returncode, str(error)
    return 0, out.getvalue()


def period() -> tuple[str, ...]:
    now = timezone.now()
    since, until = now - timedelta(days=1), now + timedelta(minutes=1)
    return ("--model", MODEL, "--since", since.isoformat(), "--until", until.isoformat())


@pytest.fixture
def buyer(db: None) -> BillingCustomer:
    """Two calls were charged 35 credits each."""
    return overcharge(make_customer())


@pytest.fixture
def right(buyer: BillingCustomer) -> PricingConfig:
    """They should have cost 3.5 each."""
    return make_price(input_usd="0.0025")


def test_it_shows_and_changes_nothing_unless_told(buyer: BillingCustomer, right: PricingConfig) -> None:
    for how in ((), ("--dry-run",)):
        code, told = run(*period(), *how)

        assert code == 1
        assert f"{buyer.public_id}: 2 of 2 calls, charged 70, right 7, difference +63" in told
        assert "2 calls of 1 customers would be corrected" in told
    assert balance_of(buyer).posted == 930
    assert not UsageCorrection.objects.exists()


def test_applied_it_corrects_and_is_clean_the_second_time(buyer: BillingCustomer, right: PricingConfig) -> None:
    asked = (*period(), "--apply", "--reason", "Wrong price list")

    code, told = run(*asked)
    again = run(*asked)

    assert code == 0
    assert "2 calls of 1 customers, +63 credits." in told
    assert again == (0, "There is nothing to correct.\n")
    assert balance_of(buyer).posted == 993
    assert run(*period())[0] == 0


def test_json_says_the_same(buyer: BillingCustomer, right: PricingConfig) -> None:
    shown = json.loads(run(*period(), "--json")[1])
    done = json.loads(run(*period(), "--json", "--apply", "--reason", "Wrong")[1])
    clean = json.loads(run(*period(), "--json")[1])

    assert shown["customers"] == [
        {
            "customer": buyer.public_id,
            "calls": 2,
            "changed_calls": 2,
            "charged": "70.000000",
            "right": "7.000000",
            "difference": "63.000000",
        }
    ]
    assert (shown["is_applied"], Decimal(shown["difference"]), shown["touched_customers"]) == (False, 63, 1)
    assert (done["is_applied"], Decimal(done["difference"])) == (True, 63)
    assert done["correction"] == UsageCorrection.objects.get().public_id
    assert (clean["customers"], clean["changed_calls"]) == ([], 0)


def test_it_charges_by_the_version_that_is_named(buyer: BillingCustomer, right: PricingConfig) -> None:
    other = make_price(model="other", input_usd="0.05")

    run(*period(), "--price", str(other.pk), "--apply", "--reason", "By the other list")

    assert balance_of(buyer).posted == 860


def test_a_correction_is_taken_back(buyer: BillingCustomer, right: PricingConfig) -> None:
    run(*period(), "--apply", "--reason", "Wrong price list")
    name = UsageCorrection.objects.get().public_id

    assert run("--reverse", name)[0] == 1
    code, told = run("--reverse", name, "--apply", "--reason", "It was right")

    assert code == 0
    assert "2 calls of 1 customers, −63 credits." in told or "-63 credits." in told
    assert balance_of(buyer).posted == 930
    assert run("--reverse", name) == (0, "There is nothing to correct.\n")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "Give --model, --since and --until, or --reverse."),
        (("--model", MODEL, "--since", "2026-11-01"), "Give --model, --since and --until, or --reverse."),
        (("--reverse", "corr_x", "--model", MODEL), "leave the period out"),
        (("--reverse", "corr_x"), "There is no correction corr_x."),
        (("--model", MODEL, "--since", "2026-11-02", "--until", "2026-11-01"), "until: it is not after since"),
        (("--model", MODEL, "--since", "2026-11-01", "--until", "2026-11-02", "--price", "99999999"), "99999999"),
        (("--model", "unheard-of", "--since", "2026-11-01", "--until", "2026-11-02"), "unheard-of"),
        (("--model", MODEL, "--since", "2026-11-01", "--until", "2026-11-02", "--apply"), "reason"),
    ],
)
def test_errors_end_with_2_and_say_what_to_do(right: PricingConfig, arguments: tuple[str, ...], told: str) -> None:
    code, message = run(*arguments)

    assert code == 2
    assert told in message

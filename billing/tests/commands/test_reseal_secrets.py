"""`reseal_secrets` makes a fallback of SECRET_KEY needless."""

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from billing.models import BillingCustomer
from billing.tests.integrator import subscribe

pytestmark = pytest.mark.django_db


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("reseal_secrets", *arguments, stdout=out)
    return out.getvalue()


def test_what_a_fallback_sealed_is_sealed_again(customer: BillingCustomer, settings: Settings) -> None:
    subscribe(customer, "https://hooks.example.com/in")
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "n" * 60, [settings.SECRET_KEY]

    assert json.loads(run("--json")) == {"endpoints": 1}
    settings.SECRET_KEY_FALLBACKS = []
    assert run() == "0 endpoints were sealed again.\n"


def test_a_lost_key_is_an_error(customer: BillingCustomer, settings: Settings) -> None:
    subscribe(customer, "https://hooks.example.com/in")
    settings.SECRET_KEY = "n" * 60

    with pytest.raises(CommandError) as error:
        run()

    assert error.value.returncode == 2

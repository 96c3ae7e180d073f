"""With every webhook lost, one run of reconciliation brings each balance to where webhooks would have brought it."""

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command

from billing.gateway.client import StripeGateway
from billing.models import CreditPack, FindingState, Payment, ReconciliationFinding, ReconciliationRun
from billing.services.payments import accept_mismatch
from billing.services.verification import find_ledger_faults
from billing.tests.flows.mixed_payments import COURSES, MISMATCHED, make_payment, result_of
from billing.tests.services.money_back import deliver_all, make_staff
from billing.tests.shop import WEBHOOK_SECRET
from sandbox.stripe.server import SandboxServer

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("quiet_broker")]


def reconcile(*arguments: str) -> tuple[int, dict[str, Any]]:
    """The command's exit code and its JSON."""
    out = StringIO()
    code = 0
    try:
        call_command("reconcile_stripe", "--json", *arguments, stdout=out)
    except SystemExit as ended:
        code = int(ended.code or 0)
    return code, json.loads(out.getvalue())


@pytest.mark.parametrize(
    "payments", [len(COURSES) + 1, pytest.param(200, marks=pytest.mark.nightly)], ids=["each kind", "two hundred"]
)
def test_one_repair_run_replaces_all_webhooks_of_a_day(
    payments: int, stripe_sandbox: SandboxServer, gateway: StripeGateway, pack: CreditPack
) -> None:
    control = stripe_sandbox.control
    twins = []
    for number in range(payments):
        twins.append(make_payment(number=number, control=control, pack=pack, gateway=gateway))
        deliver_all(stripe_sandbox, gateway)
    lost = [make_payment(number=number, control=control, pack=pack, gateway=gateway) for number in range(payments)]
    control.take_events(secret=WEBHOOK_SECRET)  # nobody delivers them

    code, first = reconcile("--repair")

    expected = [result_of(customer, payment) for customer, payment in twins]
    assert [result_of(customer, payment) for customer, payment in lost] == expected
    assert not list(find_ledger_faults())
    assert {finding["payment"] for finding in first["findings"]} >= {
        payment.public_id for number, (_, payment) in enumerate(lost) if has_something_to_tell(number)
    }
    assert code == 1
    left = [finding for finding in first["findings"] if finding["state"] == "open"]
    assert {finding["kind"] for finding in left} == {"payment_mismatched"}

    staff = make_staff()
    for payment in Payment.objects.exclude(mismatch=""):
        accept_mismatch(payment_id=payment.pk, actor=staff, reason="It was our mistake.")
    code, second = reconcile("--repair")

    assert (code, second["findings"], second["state"]) == (0, [], "clean")
    assert [result_of(*each) for each in lost] == [result_of(*each) for each in twins]
    assert not ReconciliationFinding.objects.filter(state=FindingState.OPEN).exists()
    assert [run.state for run in ReconciliationRun.objects.order_by("pk")] == ["findings", "clean"]


def has_something_to_tell(number: int) -> bool:
    place = number % (len(COURSES) + 1)
    return place == MISMATCHED or COURSES[place].__name__ not in ("_left_open",)

"""What beat and staff wake: each task leaves its run."""

from datetime import timedelta

import pytest
from celery import current_app
from django.conf import settings
from django.utils import timezone

from accounts.models import User
from billing import tasks, wake
from billing.gateway.client import StripeGateway
from billing.models import Payment, ReconciliationRun, RunKind, RunTrigger
from billing.tests.shop import credited

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("quiet_broker")]


def test_beat_names_tasks_that_exist() -> None:
    named = {str(line["task"]) for line in settings.CELERY_BEAT_SCHEDULE.values()}
    current_app.loader.import_default_modules()  # of all apps, as a worker does

    assert {"billing.reconcile_recent", "billing.reconcile_in_full", "billing.verify_recent"} <= named
    assert {*named, wake.RECONCILE_WINDOW} <= set(current_app.tasks)


@pytest.mark.parametrize(
    ("task", "days"), [(tasks.reconcile_recent, 2), (tasks.reconcile_in_full, 35)], ids=["recent", "in full"]
)
def test_schedule_compares_its_window_and_repairs(gateway: StripeGateway, task: object, days: int) -> None:
    task()  # type: ignore[operator]

    run = ReconciliationRun.objects.get()
    assert run.since is not None
    assert (run.kind, run.trigger, run.repairs) == (RunKind.STRIPE, RunTrigger.SCHEDULE, True)
    assert abs(run.started_at - run.since - timedelta(days=days)) < timedelta(minutes=1)


def test_ledger_is_looked_at_in_full_by_night() -> None:
    tasks.verify_recent()
    tasks.verify_in_full()

    assert list(ReconciliationRun.objects.values_list("kind", "trigger")) == [(RunKind.LEDGER, RunTrigger.SCHEDULE)] * 2


def test_window_of_staff_is_compared_for_whoever_asked(
    lost: Payment, gateway: StripeGateway, django_user_model: type[User]
) -> None:
    clerk = django_user_model.objects.create_user("clerk@example.com", is_staff=True)

    tasks.reconcile_window((timezone.now() - timedelta(days=1)).isoformat(), "", 1, clerk.pk)

    run = ReconciliationRun.objects.get()
    assert (run.trigger, run.started_by, run.state) == (RunTrigger.STAFF, clerk, "repaired")
    assert credited(lost).entries == 1

"""What the start refuses, and that the sweeper looks after summaries."""

import json
from io import StringIO

import pytest
from django.core.checks import run_checks
from django.core.management import call_command
from pytest_django import Settings

from billing.models import BillingCustomer
from usage.models import CommitSummary
from usage.services.summaries import request_summary
from usage.services.summary_runs import GRACE
from usage.services.summary_sources import read_source
from usage.tests.summaries.test_pasted_diffs import DIFF


def faults() -> dict[str, str]:
    return {str(fault.id): fault.msg for fault in run_checks(tags=["configuration"]) if fault.id is not None}


@pytest.mark.parametrize(
    "entry",
    [
        "srv/code",
        "http://git.example.com/x",
        "https://user:hunter2@git.example.com/x",
        "https://10.0.0.1/x",
        "file:///x",
    ],
)
def test_a_repository_that_cannot_be_meant_stops_the_start_and_is_not_repeated(entry: str, settings: Settings) -> None:
    settings.SUMMARY_REPOSITORIES = ["/srv/code", entry]

    assert "SUMMARY_REPOSITORIES is malformed" in faults()["usage.E002"]
    assert "hunter2" not in faults()["usage.E002"]


@pytest.mark.parametrize("model", ["", "two words"])
def test_a_model_without_a_name_stops_the_start(model: str, settings: Settings) -> None:
    settings.SUMMARY_MODEL = model

    assert "SUMMARY_MODEL is malformed" in faults()["usage.E001"]


def test_good_values_start(settings: Settings) -> None:
    settings.SUMMARY_REPOSITORIES = ["/srv/code/", "https://git.example.com/acme/site.git"]

    assert not {"usage.E001", "usage.E002"} & faults().keys()


def test_the_sweeper_finds_a_summary_that_no_worker_was_woken_for(
    customer: BillingCustomer, woken: list[tuple[str, ...]]
) -> None:
    summary = request_summary(customer_id=customer.pk, source=read_source(diff=DIFF)).summary
    CommitSummary.objects.update(created_at=summary.created_at - GRACE)
    out = StringIO()

    call_command("sweep", "--once", "--json", stdout=out)

    assert json.loads(out.getvalue())["summaries_due"] == 1
    assert woken == [("usage.run_summary", summary.public_id)]

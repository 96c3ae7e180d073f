"""Usage as staff see it: listed, found, filtered, on the customer's page, and taken along."""

from __future__ import annotations

import csv
from io import BytesIO, StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from openpyxl import load_workbook

from accounts.models import User
from billing.models import AuditEntry, BillingCustomer, CreditBalance
from billing.tests.ledger.steps import balance_of as posted_of
from billing.usage_cost import Tokens
from usage.models import Basis, CommitSummary, UsageEvent
from usage.services.calls import abandon_call, finish_call, open_call
from usage.services.corrections import apply_correction, read_terms
from usage.tests.factories import customer_of, make_key, make_price, make_user

pytestmark = pytest.mark.django_db
LIST = "/admin/usage/usageevent/"
Ada = tuple[User, BillingCustomer]


@pytest.fixture
def admin(db: None) -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("owner@example.com"))
    return client


def call(user: User, name: str, *, key: Any = None, model: str = "small-model") -> UsageEvent:
    """10 tokens in, 2 of them cached, 5 out: 19 credits."""
    opened = open_call(
        customer_id=customer_of(user).pk,
        model=model,
        input_tokens=10,
        max_tokens=5,
        event_id=name,
        api_key=key,
        metadata={"note": "=1+1"},
    )
    return finish_call(call=opened, tokens=Tokens(input=10, cached=2, output=5), basis=Basis.REPORTED)


@pytest.fixture
def ada(db: None) -> User:
    make_price()
    user = make_user(credits=1000)
    call(make_user(credits=100), "of-somebody-else")
    return user


def listed(client: Client, **query: Any) -> list[UsageEvent]:
    return list(client.get(LIST, query).context["cl"].result_list)


def test_usage_is_found_by_event_customer_hold_and_key(admin: Client, ada: User) -> None:
    key = make_key(ada)
    event, other = call(ada, "job-1", key=key.key), call(ada, "job-2")
    assert event.hold is not None

    for term in (event.public_id, "job-1", event.hold.public_id, f"{key.key.prefix}_{key.key.key_id}"):
        assert listed(admin, q=term) == [event], term
    for term in (ada.email, customer_of(ada).public_id):
        assert listed(admin, q=term) == [other, event], term
    assert listed(admin, q="nothing-of-that-name") == []


def test_usage_is_filtered_by_work_key_status_and_default_price(admin: Client, ada: User, settings: Any) -> None:
    settings.DEFAULT_PRICE_MODEL = "small-model"
    key = make_key(ada)
    event = call(ada, "job-1", key=key.key)
    default = call(ada, "job-2", model="unheard-of")
    opened = open_call(
        customer_id=customer_of(ada).pk, model="small-model", input_tokens=1, max_tokens=1, event_id="job-3"
    )
    failed = abandon_call(call=opened, failure="upstream is down")
    key.key.last_used_at = event.occurred_at
    key.key.save()

    assert listed(admin, is_default_price__exact="1") == [default]
    assert listed(admin, status__exact="failed") == [failed]
    assert listed(admin, key=key.key.key_id) == [event]
    assert event not in listed(admin, key="none")
    assert default not in listed(admin, work="model:small-model")
    assert "Default price" in admin.get(LIST).content.decode()


def test_a_page_of_usage_shows_what_it_cost_and_why(admin: Client, ada: User) -> None:
    event = call(ada, "job-1")

    page = admin.get(f"{LIST}{event.pk}/change/").content.decode()

    for told in ("job-1", "small-model", "19", "Reported by the provider", "=1+1"):
        assert told in page


def test_a_customers_page_has_the_usage(admin: Client, ada: User) -> None:
    key = make_key(ada)
    call(ada, "job-1", key=key.key)
    call(ada, "job-2")

    page = admin.get(f"/admin/billing/billingcustomer/{customer_of(ada).pk}/change/")

    panels = {panel.title: panel for panel in page.context["panels"]}
    assert len(panels["Latest usage"].table["rows"]) == 2
    assert panels["Usage of 30 days"].table["rows"][-1] == ["All", "2", "0", "30", "38"]
    assert key.key.key_id in str(panels["API keys"].table["rows"])
    assert listed(admin, **{"customer__id__exact": customer_of(ada).pk}) == [
        *UsageEvent.objects.filter(customer=customer_of(ada)).order_by("-pk")
    ]


def test_a_customer_is_found_by_key_external_id_and_own_address(admin: Client, ada: User) -> None:
    key = make_key(ada)
    without_user = BillingCustomer.objects.create(external_id="tenant-7", email="Boss@Tenant.example")
    CreditBalance.objects.create(customer=without_user)

    def found(term: str) -> list[BillingCustomer]:
        answer = admin.get("/admin/billing/billingcustomer/", {"q": term}, follow=True)
        return list(answer.context["cl"].result_list)

    for term in (key.key.key_id, f"{key.key.prefix}_{key.key.key_id}…{key.key.last_four}"[:-4], key.text):
        assert found(term) == [customer_of(ada)], term
    for term in ("tenant-7", "boss@tenant.example"):
        assert found(term) == [without_user], term


def test_the_secret_of_a_pasted_key_stays_in_no_address_and_no_row(admin: Client, ada: User) -> None:
    key = make_key(ada)
    secret = key.text.rsplit("_", 1)[1]

    answer = admin.get(LIST, {"q": key.text, "status__exact": "completed"})
    exported = admin.get(f"{LIST}export/usage.csv", {"q": key.text})

    assert answer.status_code == 302
    assert secret not in answer["Location"]
    assert "status__exact=completed" in answer["Location"]
    assert exported.status_code == 200
    assert secret not in str(AuditEntry.objects.get(action="usage.export").after)


def rows_of(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(StringIO(content.decode())))


def test_usage_is_exported_with_all_that_is_known_of_it(admin: Client, ada: User) -> None:
    key = make_key(ada)
    event = call(ada, "job-1", key=key.key)
    cheap = make_price("cheap", input_usd_per_1k="0.5", output_usd_per_1k="0.5", cached_input_usd_per_1k=0)
    terms = read_terms(
        model="small-model",
        since=event.occurred_at,
        until=event.created_at,
        price_id=cheap.pk,
        now=event.created_at,
    )
    assert apply_correction(terms=terms, reason="Too dear", actor=None)

    answer = admin.get(f"{LIST}export/usage.csv", {"q": "job-1"})
    (row,) = rows_of(b"".join(answer.streaming_content))  # type: ignore[attr-defined]

    assert row["usage"] == event.public_id
    assert row["customer"] == customer_of(ada).public_id
    assert (row["event_id"], row["api_key"]) == ("job-1", f"{key.key.prefix}_{key.key.key_id}")
    assert (row["input_tokens"], row["cached_tokens"], row["output_tokens"]) == ("10", "2", "5")
    assert (row["credits"], row["corrected"], row["net_credits"]) == ("19.000000", "12.500000", "6.500000")
    assert (row["cost_usd"], row["status"], row["basis"]) == ("0.019000000000", "completed", "reported")
    assert row["metadata"] == '{"note": "=1+1"}'
    assert posted_of(customer_of(ada)).posted == 1000 - 19 + 12.5


def test_a_workbook_and_the_command_have_the_same_rows(admin: Client, ada: User) -> None:
    event = call(ada, "job-1")

    answer = admin.get(f"{LIST}export/usage.xlsx", {"q": "job-1"})
    sheet = load_workbook(BytesIO(b"".join(answer.streaming_content))).active  # type: ignore[attr-defined]
    header, row = ([cell.value for cell in each] for each in sheet.iter_rows())
    told = StringIO()
    call_command(
        "export_ledger", "--what", "usage", "--customer", customer_of(ada).public_id, stdout=told, no_color=True
    )

    assert dict(zip(header, row, strict=True))["usage"] == event.public_id
    assert [each["usage"] for each in rows_of(told.getvalue().encode())] == [event.public_id]


def test_a_summarys_page_keeps_what_the_customer_pasted(admin: Client, ada: User) -> None:
    summary = CommitSummary.objects.create(
        customer=customer_of(ada),
        fingerprint="f" * 64,
        title="Add a file",
        diff="+a private line",
        summary="Says something private.",
        model="small-model",
        usage_event=call(ada, "job-1"),
    )

    page = admin.get(f"/admin/usage/commitsummary/{summary.pk}/change/").content.decode()

    assert "Add a file" in page
    assert "19" in page
    assert "private" not in page

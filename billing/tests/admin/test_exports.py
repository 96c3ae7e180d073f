"""Taking rows along from a list: the list's filters, a right of its own, and a line in the audit log."""

from __future__ import annotations

import csv
from io import BytesIO, StringIO
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse
from openpyxl import load_workbook
from pytest_django import Settings

from accounts.models import User
from billing.kinds import EntryKind
from billing.models import AuditEntry
from billing.tests.admin.conftest import World, post_to

pytestmark = pytest.mark.django_db
LISTS = {
    "/admin/billing/ledgerentry/": ("ledger",),
    "/admin/billing/payment/": ("payments",),
    "/admin/billing/adjustment/": ("adjustments",),
}


def body_of(response: Any) -> bytes:
    return b"".join(response.streaming_content)


def rows_of(client: Client, address: str, **query: Any) -> list[dict[str, str]]:
    response = client.get(address, query)
    assert response.status_code == 200, response
    return list(csv.DictReader(StringIO(body_of(response).decode())))


def client_of(*rights: str) -> Client:
    clerk = User.objects.create_user("clerk@example.com", is_staff=True)
    clerk.user_permissions.set(Permission.objects.filter(codename__in=rights))
    client = Client()
    client.force_login(clerk)
    return client


def test_the_ledger_is_exported_as_it_is_filtered(admin: Client, world: World) -> None:
    address = "/admin/billing/ledgerentry/export/ledger.csv"

    everything = rows_of(admin, address)
    of_one = rows_of(admin, address, customer__id__exact=world.customer.pk, kind__exact="usage", o="4")
    found = rows_of(admin, address, q="bob@example.com")

    assert len(everything) == 5
    assert [(row["customer"], row["type"], row["amount"]) for row in of_one] == [
        (world.customer.public_id, "usage", "-40.000000")
    ]
    assert {row["customer"] for row in found} == {world.other.public_id}


def test_payments_have_an_export_of_their_own(admin: Client, world: World) -> None:
    payments = rows_of(admin, "/admin/billing/payment/export/payments.csv", state="paid", q="ada@example.com")

    assert [(row["payment"], row["paid"]) for row in payments] == [(world.payment.public_id, "10.00")]


@pytest.mark.usefixtures("world")
def test_a_csv_is_streamed_as_a_file(admin: Client) -> None:
    response = admin.get("/admin/billing/ledgerentry/export/ledger.csv")

    assert response.streaming
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert response["Content-Disposition"].startswith('attachment; filename="ledger-')
    assert "no-store" in response["Cache-Control"]


@pytest.mark.usefixtures("world")
def test_a_workbook_has_the_filtered_rows(admin: Client) -> None:
    response = admin.get("/admin/billing/ledgerentry/export/ledger.xlsx", {"kind__exact": "usage"})

    assert response["Content-Type"] == "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    assert load_workbook(BytesIO(body_of(response))).active.max_row == 3


def test_a_workbook_that_is_too_long_is_refused_on_the_filtered_list(
    admin: Client, world: World, settings: Settings
) -> None:
    settings.EXPORT_XLSX_MAX_ROWS = 1
    post_to(world.other, -1, kind=EntryKind.USAGE, key="api:one-more")

    response = admin.get("/admin/billing/ledgerentry/export/ledger.xlsx", {"kind__exact": "usage"}, follow=True)

    assert response.redirect_chain == [("/admin/billing/ledgerentry/?kind__exact=usage", 302)]
    assert "More than 1 rows do not fit into XLSX. Take CSV, which has no limit" in response.content.decode()
    assert not AuditEntry.objects.filter(action__endswith=".export").exists()


@pytest.mark.usefixtures("world")
def test_an_export_is_written_down_before_it_is_read(admin: Client, staff: User) -> None:
    admin.get("/admin/billing/payment/export/payments.csv", {"q": "ada@example.com"}, REMOTE_ADDR="203.0.113.9")

    audit = AuditEntry.objects.get(action__endswith=".export")
    assert (audit.action, audit.actor, audit.address) == ("payments.export", staff, "203.0.113.9")
    assert audit.after == {"format": "csv", "filter": "q=ada%40example.com"}


@pytest.mark.usefixtures("world")
def test_links_keep_the_filters_of_the_list(admin: Client) -> None:
    page = admin.get("/admin/billing/ledgerentry/", {"kind__exact": "usage"}).content.decode()

    for address in ("ledger.csv", "ledger.xlsx"):
        assert f'href="/admin/billing/ledgerentry/export/{address}?kind__exact=usage"' in page


@pytest.mark.parametrize("listed", LISTS)
def test_without_the_right_there_is_no_link_and_no_export(listed: str) -> None:
    client = client_of("view_ledgerentry", "view_payment", "view_adjustment")

    assert "/export/" not in client.get(listed).content.decode()
    for name in LISTS[listed]:
        assert client.get(f"{listed}export/{name}.csv").status_code == 403
        assert client.get(f"{listed}export/{name}.xlsx").status_code == 403
    assert not AuditEntry.objects.filter(action__endswith=".export").exists()


@pytest.mark.parametrize("listed", LISTS)
def test_the_right_to_export_is_not_the_right_to_see(listed: str) -> None:
    assert client_of("export_rows").get(f"{listed}export/{LISTS[listed][0]}.csv").status_code == 403


def test_with_both_rights_rows_are_exported() -> None:
    client = client_of("export_rows", "view_payment")

    assert "/export/payments.csv" in client.get("/admin/billing/payment/").content.decode()
    assert client.get("/admin/billing/payment/export/payments.csv").status_code == 200


@pytest.mark.parametrize("wrong", ["payments.csv", "ledger.pdf", "ledger.csv?nothing__like__it=1"])
def test_what_a_list_does_not_have_is_not_found(admin: Client, wrong: str) -> None:
    assert admin.get(f"/admin/billing/ledgerentry/export/{wrong}").status_code in (400, 404)


def test_strangers_are_sent_to_the_login() -> None:
    response = Client().get("/admin/billing/ledgerentry/export/ledger.csv")

    assert response.status_code == 302
    assert reverse("admin:login") in response["Location"]

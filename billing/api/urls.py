"""The addresses of the API below `/api/v1/` that are about billing."""

from django.urls import URLPattern, path

from billing.api.balance import CustomerBalance
from billing.api.debits import Debits
from billing.api.staff_credits import StaffCredits
from billing.api.staff_entries import StaffLedgerEntries

urlpatterns: list[URLPattern] = [
    path("balance", CustomerBalance.as_view(), name="balance"),
    path("debits", Debits.as_view(), name="debits"),
    path("admin/credits", StaffCredits.as_view(), name="staff_credits"),
    path("admin/ledger-entries", StaffLedgerEntries.as_view(), name="staff_ledger_entries"),
]

"""The addresses of the API below `/api/v1/` that are about billing."""

from django.urls import URLPattern, path

from billing.api.balance import CustomerBalance
from billing.api.checkout_sessions import CheckoutSessions
from billing.api.customers import Customers, OneCustomer
from billing.api.debits import Debits
from billing.api.holds import Holds, OneHold, ReleaseHold, SettleHold
from billing.api.ledger_entries import LedgerEntries, OneLedgerEntry
from billing.api.packs import CreditPacks
from billing.api.plans import OneSubscription, Plans
from billing.api.portal_sessions import PortalSessions
from billing.api.staff_credits import StaffCredits
from billing.api.staff_entries import StaffLedgerEntries
from billing.api.vouchers import RedeemVoucher
from billing.api.webhook_endpoints import OneWebhookEndpoint, WebhookDeliveries, WebhookEndpoints

urlpatterns: list[URLPattern] = [
    path("balance", CustomerBalance.as_view(), name="balance"),
    path("ledger-entries", LedgerEntries.as_view(), name="ledger_entries"),
    path("ledger-entries/<str:entry>", OneLedgerEntry.as_view(), name="ledger_entry"),
    path("credit-packs", CreditPacks.as_view(), name="credit_packs"),
    path("plans", Plans.as_view(), name="plans"),
    path("subscription", OneSubscription.as_view(), name="subscription"),
    path("portal-sessions", PortalSessions.as_view(), name="portal_sessions"),
    path("checkout-sessions", CheckoutSessions.as_view(), name="checkout_sessions"),
    path("debits", Debits.as_view(), name="debits"),
    path("holds", Holds.as_view(), name="holds"),
    path("holds/<str:hold>", OneHold.as_view(), name="hold"),
    path("holds/<str:hold>/settle", SettleHold.as_view(), name="settle_hold"),
    path("holds/<str:hold>/release", ReleaseHold.as_view(), name="release_hold"),
    path("vouchers/redeem", RedeemVoucher.as_view(), name="redeem_voucher"),
    path("webhook-endpoints", WebhookEndpoints.as_view(), name="webhook_endpoints"),
    path("webhook-endpoints/<str:endpoint>", OneWebhookEndpoint.as_view(), name="webhook_endpoint"),
    path("webhook-endpoints/<str:endpoint>/deliveries", WebhookDeliveries.as_view(), name="webhook_deliveries"),
    path("customers", Customers.as_view(), name="customers"),
    path("customers/<path:customer>", OneCustomer.as_view(), name="customer"),
    path("admin/credits", StaffCredits.as_view(), name="staff_credits"),
    path("admin/ledger-entries", StaffLedgerEntries.as_view(), name="staff_ledger_entries"),
]

"""Billing's addresses: pages for customers, and the one that Stripe delivers to."""

from django.urls import path

from billing.views.balance import balance_chip
from billing.views.home import home
from billing.views.ledger import ledger, ledger_sums
from billing.views.overview import overview
from billing.views.payments import payments
from billing.views.webhook import receive_stripe_event

app_name = "billing"
urlpatterns = [
    path("", home, name="home"),
    path("billing/", overview, name="overview"),
    path("billing/balance/", balance_chip, name="balance"),
    path("billing/ledger/", ledger, name="ledger"),
    path("billing/ledger/sums/", ledger_sums, name="ledger_sums"),
    path("billing/payments/", payments, name="payments"),
    path("webhooks/stripe/", receive_stripe_event, name="stripe_webhook"),
]

"""Billing's addresses: pages for customers, and the one that Stripe delivers to."""

from django.urls import path

from billing.views.balance import balance_chip
from billing.views.buy import buy, buy_custom, buy_pack
from billing.views.checkout_return import checkout_cancelled, checkout_return, checkout_return_status
from billing.views.details import details, details_on_file
from billing.views.home import home
from billing.views.invoices import invoices, payment_method
from billing.views.ledger import ledger, ledger_export, ledger_sums
from billing.views.metrics import metrics
from billing.views.notice_banners import dismiss_banner
from billing.views.overview import overview
from billing.views.payments import payments
from billing.views.plans import plan, plans, portal
from billing.views.redeem import redeem
from billing.views.settings import save_notice_settings, settings_page
from billing.views.top_up import top_up, top_up_consent, top_up_off, top_up_remove_card
from billing.views.unsubscribe import unsubscribe
from billing.views.webhook import receive_stripe_event
from billing.views.webhook_acts import delete_webhook, replay_webhook, rotate_webhook, switch_webhook, try_webhook
from billing.views.webhook_endpoints import new_webhook, webhook, webhooks

app_name = "billing"
urlpatterns = [
    path("", home, name="home"),
    path("billing/", overview, name="overview"),
    path("billing/balance/", balance_chip, name="balance"),
    path("billing/buy/", buy, name="buy"),
    path("billing/buy/custom/", buy_custom, name="buy_custom"),
    path("billing/buy/<slug:pack>/", buy_pack, name="buy_pack"),
    path("billing/checkout/return/", checkout_return, name="checkout_return"),
    path("billing/checkout/return/status/", checkout_return_status, name="checkout_return_status"),
    path("billing/checkout/cancelled/", checkout_cancelled, name="checkout_cancelled"),
    path("billing/ledger/", ledger, name="ledger"),
    path("billing/ledger/export.csv", ledger_export, name="ledger_export"),
    path("billing/ledger/sums/", ledger_sums, name="ledger_sums"),
    path("billing/details/", details, name="details"),
    path("billing/details/on-file/", details_on_file, name="details_on_file"),
    path("billing/invoices/", invoices, name="invoices"),
    path("billing/payment-method/", payment_method, name="payment_method"),
    path("billing/payments/", payments, name="payments"),
    path("billing/plans/", plans, name="plans"),
    path("billing/plans/<slug:plan>/", plan, name="plan"),
    path("billing/portal/", portal, name="portal"),
    path("billing/redeem/", redeem, name="redeem"),
    path("billing/top-up/", top_up, name="top_up"),
    path("billing/top-up/consent/", top_up_consent, name="top_up_consent"),
    path("billing/top-up/off/", top_up_off, name="top_up_off"),
    path("billing/top-up/card/remove/", top_up_remove_card, name="top_up_remove_card"),
    path("billing/webhooks/", webhooks, name="webhooks"),
    path("billing/webhooks/new/", new_webhook, name="new_webhook"),
    path("billing/webhooks/<slug:endpoint>/", webhook, name="webhook"),
    path("billing/webhooks/<slug:endpoint>/test/", try_webhook, name="test_webhook"),
    path("billing/webhooks/<slug:endpoint>/rotate/", rotate_webhook, name="rotate_webhook"),
    path("billing/webhooks/<slug:endpoint>/switch/", switch_webhook, name="switch_webhook"),
    path("billing/webhooks/<slug:endpoint>/delete/", delete_webhook, name="delete_webhook"),
    path("billing/webhooks/<slug:endpoint>/<slug:delivery>/replay/", replay_webhook, name="replay_webhook"),
    path("billing/notices/<str:notice>/dismiss/", dismiss_banner, name="dismiss_banner"),
    path("billing/settings/", settings_page, name="settings"),
    path("billing/settings/notices/", save_notice_settings, name="save_notice_settings"),
    path("billing/unsubscribe/<str:token>/", unsubscribe, name="unsubscribe"),
    path("metrics", metrics, name="metrics"),
    path("webhooks/stripe/", receive_stripe_event, name="stripe_webhook"),
]

"""Automatic top-ups of customers and what they agreed to, to look at; the page of the customer turns them off."""

from __future__ import annotations

from django.contrib import admin
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from billing.admin.base import NOTHING, link_to, show_credits, show_money, shown
from billing.admin.ledger import OfCustomerAdmin
from billing.admin.links import link_to_stripe
from billing.admin.panels import NEWEST, Panel, link_to_page, make_panel, when
from billing.admin.payment_answers import tell_credits
from billing.models import AutoTopUp, BillingCustomer, PaymentState, TopUpConsent
from billing.selectors.top_ups import attempts_of
from billing.services.top_ups.wording import card_name


@admin.register(AutoTopUp)
class AutoTopUpAdmin(OfCustomerAdmin):
    """Whether the saved card may be charged, and why not."""

    list_display = ("changed_at", "customer_shown", "state", "cause", "card_shown")
    list_display_links = ("changed_at",)
    list_filter = ("state", "cause")
    list_select_related = ("customer__user", "consent")
    ordering = ("-changed_at", "-pk")
    fields = readonly_fields = (
        "customer_shown",
        "state",
        "cause",
        "detail",
        "changed_at",
        "consent_shown",
        "card_shown",
        "payment_method_shown",
        "attempts_shown",
    )

    @shown("Consent")
    def consent_shown(self, top_up: AutoTopUp) -> SafeString | str:
        return link_to(top_up.consent)

    @shown("Saved card")
    def card_shown(self, top_up: AutoTopUp) -> str:
        return card_name(top_up) or NOTHING

    @shown("Payment method")
    def payment_method_shown(self, top_up: AutoTopUp) -> SafeString | str:
        return link_to_stripe(top_up.payment_method_id)

    @shown("Latest attempts")
    def attempts_shown(self, top_up: AutoTopUp) -> SafeString | str:
        """When, for how much, and what became of the credits, the newest first."""
        attempts = attempts_of(customer_id=top_up.customer_id)[:NEWEST]
        lines = [
            (
                link_to_page(attempt, when(attempt.created_at)),
                show_money(attempt.amount_minor, attempt.currency),
                PaymentState(attempt.state).label,
                tell_credits(attempt),
            )
            for attempt in attempts
        ]
        return format_html_join("", "<div>{}, {}, {}. {}</div>", lines) or NOTHING


@admin.register(TopUpConsent)
class TopUpConsentAdmin(OfCustomerAdmin):
    """What a customer agreed to, in the words that were shown."""

    list_display = ("given_at", "customer_shown", "description", "price_shown", "threshold_shown", "ceiling_shown")
    list_display_links = ("given_at",)
    ordering = ("-pk",)
    fields = readonly_fields = (
        "customer_shown",
        "given_at",
        "wording",
        "language",
        "pack",
        "description",
        "credits_shown",
        "price_shown",
        "is_taxed",
        "threshold_shown",
        "ceiling_shown",
        "card",
        "payment_method_id",
        "stripe_customer_id",
    )

    @shown("Price")
    def price_shown(self, consent: TopUpConsent) -> str:
        return show_money(consent.amount_minor, consent.currency)

    @shown("Credits")
    def credits_shown(self, consent: TopUpConsent) -> str:
        return show_credits(consent.credits + consent.bonus_credits)

    @shown("Below")
    def threshold_shown(self, consent: TopUpConsent) -> str:
        return show_credits(consent.threshold)

    @shown("Limit a month")
    def ceiling_shown(self, consent: TopUpConsent) -> str:
        return show_money(consent.ceiling_minor, consent.currency)


def build_top_up_panel(*, customer: BillingCustomer) -> Panel:
    """The state on the customer's page; what was charged is among the payments."""
    top_up = AutoTopUp.objects.select_related("consent").filter(customer=customer).first()
    rows = []
    if top_up is not None:
        consent = top_up.consent
        rows = [
            [
                link_to_page(top_up, top_up.get_state_display()),
                top_up.get_cause_display() or NOTHING,
                show_credits(consent.threshold if consent else None),
                show_money(consent.amount_minor, consent.currency) if consent else NOTHING,
                show_money(consent.ceiling_minor, consent.currency) if consent else NOTHING,
                card_name(top_up) or NOTHING,
                when(top_up.changed_at),
            ]
        ]
    return make_panel(
        title="Automatic top-up",
        model=AutoTopUp,
        headers=["State", "Why", "Below", "Price", "Limit a month", "Card", "Since"],
        rows=rows,
        empty="It was never set up.",
    )

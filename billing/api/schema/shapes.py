"""Bodies of answers, for the schema alone: `billing.api.shapes` makes them, and tests hold the two together."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from billing.api.parsing import StrictSerializer
from billing.kinds import EntryKind, HoldState
from billing.models import AdjustmentState, ReasonCode
from billing.models.plan import PlanInterval, Rollover


class CreditsText(serializers.CharField):
    """Credits in an answer."""


def kind_of_object(name: str) -> serializers.ChoiceField:
    """The member that says what an object is."""
    return serializers.ChoiceField(choices=[name])


def list_of(row: type[serializers.Serializer[Any]], name: str) -> type[StrictSerializer]:
    """One page of a list of such rows."""
    members: dict[str, Any] = {
        "object": kind_of_object("list"),
        "url": serializers.CharField(help_text="The address of the list."),
        "has_more": serializers.BooleanField(help_text="Whether there are more rows in this direction."),
        "data": row(many=True),
        "__doc__": "One page of a list, newest first.",
        "__module__": __name__,
    }
    return type(name, (StrictSerializer,), members)


class NoFields(StrictSerializer):
    """An empty object."""


class LedgerEntry(StrictSerializer):
    """One movement of credits; it never changes."""

    id = serializers.CharField()
    object = kind_of_object("ledger_entry")
    customer = serializers.CharField()
    sequence = serializers.IntegerField(min_value=1, help_text="Its number in the customer's ledger, without gaps.")
    kind = serializers.ChoiceField(choices=[kind.value for kind in EntryKind])
    amount = CreditsText(help_text="Negative where credits went out.")
    balance_after = CreditsText()
    description = serializers.CharField(allow_blank=True)
    payment = serializers.CharField(allow_null=True)
    hold = serializers.CharField(allow_null=True)
    occurred_at = serializers.DateTimeField(help_text="When it happened in the world.")
    created_at = serializers.DateTimeField(help_text="When it was written down.")


class NextExpiry(StrictSerializer):
    """The credits that expire next."""

    amount = CreditsText()
    at = serializers.DateTimeField()


class Balance(StrictSerializer):
    """What a customer has."""

    object = kind_of_object("balance")
    posted = CreditsText(help_text="The sum of the ledger; below zero for a debt.")
    held = CreditsText(help_text="Set aside by open holds.")
    available = CreditsText(help_text="What can be spent: `posted` without `held`, and never below zero.")
    debt = CreditsText(help_text="What is owed; the next credits repay it first.")
    frozen = serializers.BooleanField(help_text="Whether spending is stopped.")
    low = serializers.BooleanField(help_text="Whether it is time to buy.")
    next_expiry = NextExpiry(allow_null=True)
    recent_entries = LedgerEntry(many=True, help_text="The last five.")


class Hold(StrictSerializer):
    """Credits set aside for work in progress."""

    id = serializers.CharField()
    object = kind_of_object("hold")
    customer = serializers.CharField()
    amount = CreditsText()
    state = serializers.ChoiceField(choices=[state.value for state in HoldState])
    settled_amount = CreditsText(allow_null=True, help_text="What the work cost; null until it is settled.")
    is_late = serializers.BooleanField(help_text="Whether it was settled after it had expired.")
    description = serializers.CharField(allow_blank=True)
    placed_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField(allow_null=True)


class VoucherRedemption(StrictSerializer):
    """One use of a voucher."""

    id = serializers.CharField()
    object = kind_of_object("voucher_redemption")
    customer = serializers.CharField()
    credits = CreditsText()
    expires_at = serializers.DateTimeField(allow_null=True, help_text="Null where the credits never expire.")
    redeemed_at = serializers.DateTimeField()
    entry = LedgerEntry()


class CreditPack(StrictSerializer):
    """Credits for sale."""

    slug = serializers.CharField()
    object = kind_of_object("credit_pack")
    name = serializers.CharField()
    description = serializers.CharField(allow_blank=True)
    credits = CreditsText()
    bonus_credits = CreditsText(help_text="Given on top.")
    price_minor = serializers.IntegerField(min_value=0, help_text="In the currency's minor unit, such as cents.")
    currency = serializers.CharField()
    lifetime_days = serializers.IntegerField(allow_null=True, help_text="Null where the credits never expire.")


class PlanLimits(StrictSerializer):
    """What a plan limits; null is not limited by it."""

    requests_per_minute = serializers.IntegerField(allow_null=True, help_text="For each API key.")
    max_call_tokens = serializers.IntegerField(allow_null=True, help_text="Question and answer of one call together.")
    models = serializers.ListField(child=serializers.CharField(), help_text="None are all.")
    max_api_keys = serializers.IntegerField(allow_null=True)


class Plan(StrictSerializer):
    """Credits by the month or the year."""

    slug = serializers.CharField()
    object = kind_of_object("plan")
    name = serializers.CharField()
    description = serializers.CharField(allow_blank=True)
    credits = CreditsText(help_text="Granted for each period that is paid.")
    price_minor = serializers.IntegerField(allow_null=True, min_value=0, help_text="Null where it is by agreement.")
    currency = serializers.CharField()
    interval = serializers.ChoiceField(choices=PlanInterval.values)
    rollover = serializers.ChoiceField(choices=Rollover.values, help_text="What becomes of credits that are left.")
    rollover_cap = CreditsText(allow_null=True)
    trial_days = serializers.IntegerField(min_value=0)
    limits = PlanLimits()
    features = serializers.ListField(child=serializers.CharField())


class PlanCredits(StrictSerializer):
    """Credits of somebody on a plan."""

    available = CreditsText(help_text="What can be spent, of all kinds.")
    usage_this_month = CreditsText(help_text="Since the first of the month, UTC.")
    limit = CreditsText(allow_null=True, help_text="Included in a period; null without a plan. It does not end usage.")
    included_left = CreditsText(help_text="What is left of included credits.")


class Invoice(StrictSerializer):
    """An invoice of a pack or a plan."""

    id = serializers.CharField(help_text="Stripe's.")
    object = kind_of_object("invoice")
    number = serializers.CharField(allow_null=True)
    status = serializers.CharField(help_text="Stripe's word: open, paid, void or uncollectible.")
    total_minor = serializers.IntegerField(help_text="With tax; below zero it is credit for the next invoices.")
    tax_minor = serializers.IntegerField()
    credited_minor = serializers.IntegerField(help_text="By credit notes that are not void, with tax; the total stays.")
    currency = serializers.CharField()
    created_at = serializers.DateTimeField()
    url = serializers.CharField(allow_null=True, help_text="Stripe's page of it.")
    pdf_url = serializers.CharField(allow_null=True)


class Subscription(StrictSerializer):
    """The plan that counts now, and what comes with it."""

    object = kind_of_object("subscription")
    tier = serializers.CharField(allow_null=True, help_text="The slug of the plan; null where there is none.")
    status = serializers.CharField(help_text="Stripe's word, or `none` where no subscription counts.")
    is_past_due = serializers.BooleanField(help_text="Whether a payment of a plan fails.")
    expires_at = serializers.DateTimeField(allow_null=True, help_text="When it is renewed, or ends.")
    cancel_at = serializers.DateTimeField(allow_null=True)
    trial_end = serializers.DateTimeField(allow_null=True, help_text="Null where no trial goes on.")
    next_plan = serializers.CharField(
        allow_null=True, help_text="The slug of the plan that a waiting change brings; null where it is none of these."
    )
    changes_at = serializers.DateTimeField(allow_null=True, help_text="When that change comes; null where none waits.")
    credits = PlanCredits()
    limits = PlanLimits()
    invoices = Invoice(many=True, help_text="The last five.")


class PortalSession(StrictSerializer):
    """A way into Stripe's portal."""

    object = kind_of_object("portal_session")
    url = serializers.CharField(help_text="For the customer's browser alone, within the hour.")


class CheckoutSession(StrictSerializer):
    """A checkout that was opened at Stripe."""

    id = serializers.CharField(help_text="Stripe's.")
    object = kind_of_object("checkout_session")
    payment = serializers.CharField(help_text="Ours.")
    client_secret = serializers.CharField(allow_null=True, help_text="For Stripe's script, where it is embedded.")
    url = serializers.CharField(allow_null=True, help_text="Stripe's page, where it is hosted.")


class Customer(StrictSerializer):
    """Who owns a balance."""

    id = serializers.CharField()
    object = kind_of_object("customer")
    external_id = serializers.CharField(allow_null=True, help_text="What your product calls them.")
    email = serializers.CharField(allow_null=True)
    created_at = serializers.DateTimeField()


class Adjustment(StrictSerializer):
    """Credits that staff gave or took, or want to."""

    id = serializers.CharField()
    object = kind_of_object("adjustment")
    customer = serializers.CharField()
    amount = CreditsText()
    reason_code = serializers.ChoiceField(choices=ReasonCode.values)
    note = serializers.CharField()
    ticket = serializers.CharField(allow_blank=True)
    state = serializers.ChoiceField(choices=AdjustmentState.values)
    limit_reason = serializers.CharField(allow_null=True, help_text="Which limit asks for a second person.")
    decide_until = serializers.DateTimeField(allow_null=True)
    requested_at = serializers.DateTimeField()
    entry = LedgerEntry(allow_null=True)


LedgerEntryList = list_of(LedgerEntry, "LedgerEntryList")
CreditPackList = list_of(CreditPack, "CreditPackList")
PlanList = list_of(Plan, "PlanList")

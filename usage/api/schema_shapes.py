"""Bodies of usage's answers, for the schema alone: `usage.api.shapes` and the views make them."""

from __future__ import annotations

from rest_framework import serializers

from billing.api.parsing import StrictSerializer
from billing.api.schema.shapes import CreditsText, kind_of_object, list_of
from usage.models import Basis, SummaryState, UsageStatus
from usage.services.recording import EventStatus


class PriceVersion(StrictSerializer):
    """The version of a price that a charge rests on."""

    name = serializers.CharField(help_text="The model's or the operation's.")
    effective_from = serializers.DateTimeField()


class UsageEvent(StrictSerializer):
    """A piece of metered work; what was never estimated or held for is null."""

    id = serializers.CharField()
    object = kind_of_object("usage_event")
    customer = serializers.CharField()
    event_id = serializers.CharField(help_text="Your name for it.")
    api_key = serializers.CharField(allow_null=True, help_text="The id of the key.")
    model = serializers.CharField(allow_null=True)
    operation = serializers.CharField(allow_null=True)
    quantity = serializers.IntegerField(min_value=1)
    input_tokens = serializers.IntegerField(min_value=0)
    cached_tokens = serializers.IntegerField(min_value=0, help_text="A part of `input_tokens`.")
    output_tokens = serializers.IntegerField(min_value=0)
    estimate = CreditsText(allow_null=True)
    held = CreditsText(allow_null=True)
    credits = CreditsText(help_text="What was charged.")
    basis = serializers.ChoiceField(choices=Basis.values, help_text="What the charge rests on.")
    status = serializers.ChoiceField(choices=UsageStatus.values)
    failure = serializers.CharField(allow_null=True)
    price = PriceVersion(allow_null=True)
    hold = serializers.CharField(allow_null=True)
    entry = serializers.CharField(allow_null=True, help_text="Null where nothing was charged.")
    latency_ms = serializers.IntegerField(allow_null=True)
    metadata = serializers.DictField()
    occurred_at = serializers.DateTimeField()
    created_at = serializers.DateTimeField()


class RecordedEvent(StrictSerializer):
    """The answer to one event of a batch."""

    id = serializers.CharField(allow_null=True, help_text="Yours; null where it could not be read.")
    status = serializers.ChoiceField(choices=[status.value for status in EventStatus])
    usage_event = serializers.CharField(required=False)
    credits = CreditsText(required=False)
    entry = serializers.CharField(required=False, allow_null=True)
    code = serializers.CharField(required=False, help_text="Why it was refused.")
    field = serializers.CharField(required=False, allow_null=True, allow_blank=True)
    detail = serializers.CharField(required=False)
    available = CreditsText(required=False)
    required = CreditsText(required=False)  # type: ignore[assignment]  # a member that is called so


class UsageEventBatch(StrictSerializer):
    """What became of a batch, in the order it was sent."""

    object = kind_of_object("usage_event_batch")
    customer = serializers.CharField()
    posted = serializers.IntegerField(min_value=0)
    duplicates = serializers.IntegerField(min_value=0)
    refused = serializers.IntegerField(min_value=0)
    credits = CreditsText(help_text="What was charged now.")
    events = RecordedEvent(many=True)


class QuotedPrice(StrictSerializer):
    """What the customer pays, markup included: by tokens, or for each time an operation is done."""

    name = serializers.CharField()
    effective_from = serializers.DateTimeField()
    credits_per_1k_input_tokens = serializers.CharField(required=False)
    credits_per_1k_cached_input_tokens = serializers.CharField(required=False)
    credits_per_1k_output_tokens = serializers.CharField(required=False)
    credits_per_request = serializers.CharField(required=False)
    credits_each = serializers.CharField(required=False)


class Quote(StrictSerializer):
    """What work would cost."""

    object = kind_of_object("quote")
    customer = serializers.CharField()
    model = serializers.CharField(allow_null=True)
    operation = serializers.CharField(allow_null=True)
    quantity = serializers.IntegerField(min_value=1)
    input_tokens = serializers.IntegerField(allow_null=True)
    expected_output_tokens = serializers.IntegerField(allow_null=True)
    worst_output_tokens = serializers.IntegerField(allow_null=True)
    estimate = CreditsText(help_text="What it will most likely cost.")
    worst_case = CreditsText(help_text="What it can cost at most.")
    held = CreditsText(help_text="What would be set aside now.")
    spendable = CreditsText(help_text="What the customer can spend now.")
    covered = serializers.BooleanField(help_text="Whether that is enough.")
    price = QuotedPrice()


class SummaryFailure(StrictSerializer):
    """Why a summary ended without a charge."""

    code = serializers.CharField()
    detail = serializers.CharField()


class SummaryCredits(StrictSerializer):
    """What was estimated, is held, and was charged."""

    estimated = CreditsText(allow_null=True)
    held = CreditsText(allow_null=True)
    charged = CreditsText(allow_null=True, help_text="Null until it has ended.")


class SummaryTokens(StrictSerializer):
    """The tokens that the charge rests on."""

    input = serializers.IntegerField(min_value=0)
    cached = serializers.IntegerField(min_value=0)
    output = serializers.IntegerField(min_value=0)


class Summary(StrictSerializer):
    """A summary of a commit or a diff, written by a model."""

    id = serializers.CharField()
    object = kind_of_object("summary")
    state = serializers.ChoiceField(choices=SummaryState.values)
    repository = serializers.CharField(allow_null=True)
    commit = serializers.CharField(allow_null=True)
    title = serializers.CharField(allow_blank=True)
    files_changed = serializers.IntegerField(allow_null=True)
    lines_added = serializers.IntegerField(allow_null=True)
    lines_removed = serializers.IntegerField(allow_null=True)
    model = serializers.CharField()
    summary = serializers.CharField(allow_null=True)
    failure = SummaryFailure(allow_null=True)
    credits = SummaryCredits()
    tokens = SummaryTokens(allow_null=True)
    usage_event = serializers.CharField(allow_null=True)
    ledger_entry = serializers.CharField(allow_null=True)
    created_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField(allow_null=True)


UsageEventList = list_of(UsageEvent, "UsageEventList")
SummaryList = list_of(Summary, "SummaryList")

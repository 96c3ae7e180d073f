"""Lots of credits that came in, and what was drawn on them."""

from django.db import models
from django.db.models import F, Q

from billing.kinds import AllocationKind
from billing.models.customer import BillingCustomer
from billing.models.fields import CreditsField
from billing.models.ledger_entry import KIND_CHOICES, LedgerEntry
from billing.models.notice_triggers import announce_grants
from billing.models.triggers import append_only


class CreditGrant(models.Model):
    """A lot of credits that came in by one entry: bought, plan allowance, bonus or adjustment."""

    customer = models.ForeignKey(BillingCustomer, on_delete=models.PROTECT, related_name="grants", db_index=False)
    entry = models.OneToOneField(LedgerEntry, on_delete=models.PROTECT, related_name="grant")
    payment = models.ForeignKey(
        "billing.Payment", null=True, blank=True, on_delete=models.PROTECT, related_name="grants", db_index=False
    )
    plan_period = models.ForeignKey(
        "billing.PlanPeriod", null=True, blank=True, on_delete=models.PROTECT, related_name="grants", db_index=False
    )
    kind = models.CharField(max_length=20, choices=KIND_CHOICES)
    amount = CreditsField()
    remaining = CreditsField()
    priority = models.PositiveSmallIntegerField(help_text="Drawn on first where lowest.")
    expires_at = models.DateTimeField(null=True, blank=True)
    is_open = models.BooleanField(default=True, help_text="Whether anything remains.")
    cost_minor = models.BigIntegerField(default=0, help_text="What was paid for it, in minor units.")
    currency = models.CharField(max_length=3, blank=True)
    created_at = models.DateTimeField()

    class Meta:
        verbose_name = "grant"
        constraints = [
            models.CheckConstraint(
                condition=Q(remaining__gte=0, remaining__lte=F("amount")), name="billing_grant_remaining_in_bounds"
            ),
            models.CheckConstraint(condition=Q(amount__gt=0), name="billing_grant_amount_positive"),
            models.CheckConstraint(
                condition=Q(is_open=True, remaining__gt=0) | Q(is_open=False, remaining=0),
                name="billing_grant_open_while_any_remains",
            ),
        ]
        triggers = [announce_grants()]
        indexes = [
            models.Index(
                F("customer"),
                F("priority"),
                F("expires_at").asc(nulls_last=True),
                F("id"),
                name="billing_grant_burn_down",
                condition=Q(is_open=True),
            ),
            models.Index(fields=["payment"], name="billing_grant_payment", condition=Q(payment__isnull=False)),
            models.Index(fields=["plan_period"], name="billing_grant_plan", condition=Q(plan_period__isnull=False)),
            models.Index(fields=["expires_at"], name="billing_grant_lapsing", condition=Q(is_open=True)),
        ]

    def __str__(self) -> str:
        return f"{self.kind}: {self.remaining} of {self.amount}"


class GrantAllocation(models.Model):
    """How much of an outgoing entry a grant paid. Signed: a negative row gives back. Append-only.

    For each outgoing entry: |amount| = sum of rows with a grant + what is uncovered + what was returned or written off.
    A row without a grant returns or writes off an uncovered part.
    """

    entry = models.ForeignKey(LedgerEntry, on_delete=models.PROTECT, related_name="allocations")
    grant = models.ForeignKey(
        CreditGrant, null=True, blank=True, on_delete=models.PROTECT, related_name="allocations", db_index=False
    )
    amount = CreditsField()
    kind = models.CharField(max_length=10, choices=[(kind.value, kind.value) for kind in AllocationKind])
    cause = models.ForeignKey(
        LedgerEntry,
        on_delete=models.PROTECT,
        related_name="caused_allocations",
        db_index=False,
        help_text="The entry whose posting wrote this row.",
    )

    class Meta:
        verbose_name = "allocation"
        constraints = [
            models.CheckConstraint(condition=~Q(amount=0), name="billing_allocation_amount_not_zero"),
            models.CheckConstraint(
                condition=Q(grant__isnull=False) | Q(kind__in=["return", "write_off"], amount__lt=0),
                name="billing_allocation_has_a_grant",
            ),
        ]
        triggers = append_only()

    def __str__(self) -> str:
        return f"{self.kind} {self.amount}"


class UncoveredPart(models.Model):
    """The part of an outgoing entry that no grant has covered yet. Written by `billing.ledger` alone."""

    entry = models.OneToOneField(LedgerEntry, primary_key=True, on_delete=models.PROTECT, related_name="uncovered_part")
    customer = models.ForeignKey(
        BillingCustomer, on_delete=models.PROTECT, related_name="uncovered_parts", db_index=False
    )
    amount = CreditsField()
    is_open = models.BooleanField(default=True)

    class Meta:
        verbose_name = "uncovered part"
        constraints = [
            models.CheckConstraint(
                condition=Q(is_open=True, amount__gt=0) | Q(is_open=False, amount=0),
                name="billing_uncovered_open_while_any",
            ),
        ]
        indexes = [
            models.Index(fields=["customer", "entry"], name="billing_uncovered_customer"),
        ]

    def __str__(self) -> str:
        return f"{self.amount} uncovered"

"""One noun per file; import them from here."""

from billing.models.adjustment import Adjustment, AdjustmentDay, AdjustmentState
from billing.models.api_key_spending import ApiKeySpending
from billing.models.approval import Approval, Decision, ReasonCode
from billing.models.audit_entry import AuditEntry
from billing.models.auto_top_up import AutoTopUp, TopUpCause, TopUpConsent, TopUpState
from billing.models.balance import CreditBalance
from billing.models.credit_note import CreditNote
from billing.models.customer import BillingCustomer
from billing.models.dispute import DisputeMovement, FraudWarning, PaymentDispute
from billing.models.flag import CustomerFlag
from billing.models.grant import CreditGrant, GrantAllocation, UncoveredPart
from billing.models.hold import CreditHold
from billing.models.idempotent_answer import IdempotentAnswer
from billing.models.invoice import Invoice, InvoiceLine, InvoiceStatus, PlanMovement, PlanPeriod
from billing.models.ledger_entry import LedgerEntry
from billing.models.money_movement import MoneyMovement
from billing.models.note import CustomerNote
from billing.models.notice import Notice
from billing.models.notification_preferences import NotificationPreferences
from billing.models.outgoing_mail import MailState, OutgoingMail
from billing.models.pack import CreditPack
from billing.models.payment import Payment, PaymentKind, PaymentState
from billing.models.plan import FREE_SLUG, Plan, PlanInterval, PlanPrice, Rollover
from billing.models.portal_configuration import PortalConfiguration
from billing.models.pricing_config import OperationPrice, PricingConfig
from billing.models.reconciliation import (
    FindingState,
    ReconciliationFinding,
    ReconciliationRun,
    RunKind,
    RunState,
    RunTrigger,
    Severity,
)
from billing.models.refund import PaymentRefund
from billing.models.refund_request import RefundRequest, RefundRequestState
from billing.models.signup_bonus import SignupBonus
from billing.models.staff_alarm import AlarmKind, StaffAlarm
from billing.models.stripe_event import EventState, StripeEvent
from billing.models.subscription import Subscription, SubscriptionStatus
from billing.models.trial import TrialGrant
from billing.models.voucher import VoucherBatch, VoucherBatchState, VoucherCode, VoucherGuess, VoucherRedemption
from billing.models.webhook import DeliveryState, WebhookAttempt, WebhookDelivery, WebhookEndpoint

__all__ = [
    "FREE_SLUG",
    "Adjustment",
    "AdjustmentDay",
    "AdjustmentState",
    "AlarmKind",
    "ApiKeySpending",
    "Approval",
    "AuditEntry",
    "AutoTopUp",
    "BillingCustomer",
    "CreditBalance",
    "CreditGrant",
    "CreditHold",
    "CreditNote",
    "CreditPack",
    "CustomerFlag",
    "CustomerNote",
    "Decision",
    "DeliveryState",
    "DisputeMovement",
    "EventState",
    "FindingState",
    "FraudWarning",
    "GrantAllocation",
    "IdempotentAnswer",
    "Invoice",
    "InvoiceLine",
    "InvoiceStatus",
    "LedgerEntry",
    "MailState",
    "MoneyMovement",
    "Notice",
    "NotificationPreferences",
    "OperationPrice",
    "OutgoingMail",
    "Payment",
    "PaymentDispute",
    "PaymentKind",
    "PaymentRefund",
    "PaymentState",
    "Plan",
    "PlanInterval",
    "PlanMovement",
    "PlanPeriod",
    "PlanPrice",
    "PortalConfiguration",
    "PricingConfig",
    "ReasonCode",
    "ReconciliationFinding",
    "ReconciliationRun",
    "RefundRequest",
    "RefundRequestState",
    "Rollover",
    "RunKind",
    "RunState",
    "RunTrigger",
    "Severity",
    "SignupBonus",
    "StaffAlarm",
    "StripeEvent",
    "Subscription",
    "SubscriptionStatus",
    "TopUpCause",
    "TopUpConsent",
    "TopUpState",
    "TrialGrant",
    "UncoveredPart",
    "VoucherBatch",
    "VoucherBatchState",
    "VoucherCode",
    "VoucherGuess",
    "VoucherRedemption",
    "WebhookAttempt",
    "WebhookDelivery",
    "WebhookEndpoint",
]

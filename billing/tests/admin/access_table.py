"""Who may open and do what in the admin: one row for each list, page and action. What has no row fails the tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from django.db.models import Model

NOBODY, SUPPORT, FINANCE, APPROVER, AUDITOR, OWNER = "nobody", "Support", "Finance", "Approver", "Auditor", "superuser"
ROLES = (NOBODY, SUPPORT, FINANCE, APPROVER, AUDITOR, OWNER)  # all of them staff
Who = frozenset[str]
NO_ONE: Who = frozenset()
ONLY_OWNER: Who = frozenset({OWNER})
READERS: Who = frozenset({SUPPORT, FINANCE, APPROVER, AUDITOR, OWNER})
AUDITING: Who = frozenset({AUDITOR, OWNER})
EXPORTING: Who = frozenset({FINANCE, AUDITOR, OWNER})
ALL_STAFF: Who = frozenset(ROLES)


class Pages(NamedTuple):
    """The pages that every model has: list and rows, and what may be done there."""

    see: Who
    add: Who = NO_ONE
    change: Who = NO_ONE
    delete: Who = NO_ONE


class Page(NamedTuple):
    """A page of its own: who may open it, who may send something to it, and what its address names."""

    get: Who
    post: Who
    arguments: Callable[[dict[type[Model], Model]], list[Any]] = lambda rows: []


def _read(who: Who = READERS) -> Pages:
    return Pages(see=who)


def _of(label: str) -> Callable[[dict[type[Model], Model]], list[Any]]:
    """The address names the row of a model."""
    return lambda rows: [next(row.pk for model, row in rows.items() if model._meta.label == label)]


def _on(label: str, who: Who) -> Page:
    """A page about one row, which the same people open and send."""
    return Page(get=who, post=who, arguments=_of(label))


def _export(name: str) -> Page:
    return Page(get=EXPORTING, post=EXPORTING, arguments=lambda rows: [name, "csv"])


MODELS = {
    "accounts.User": Pages(see=READERS, add=ONLY_OWNER, change=ONLY_OWNER, delete=ONLY_OWNER),
    "accounts.ApiKey": _read(),
    "auth.Group": Pages(see=AUDITING, add=ONLY_OWNER, change=ONLY_OWNER, delete=ONLY_OWNER),
    "account.EmailAddress": Pages(see=READERS, add=ONLY_OWNER, change=ONLY_OWNER, delete=ONLY_OWNER),
    "mfa.Authenticator": Pages(see=AUDITING, delete=ONLY_OWNER),
    "socialaccount.SocialAccount": Pages(see=AUDITING, delete=ONLY_OWNER),
    "usersessions.UserSession": Pages(see=AUDITING, delete=ONLY_OWNER),
    "billing.CreditPack": Pages(see=READERS, add=ONLY_OWNER, change=ONLY_OWNER, delete=ONLY_OWNER),
    "billing.Plan": Pages(see=READERS, add=ONLY_OWNER, change=ONLY_OWNER, delete=ONLY_OWNER),
    "billing.Subscription": _read(),
    "billing.Invoice": _read(),
    "billing.Adjustment": _read(),
    "billing.AuditEntry": _read(AUDITING),
    "billing.AutoTopUp": _read(),
    "billing.BillingCustomer": _read(),
    "billing.CreditBalance": _read(),
    "billing.CreditGrant": _read(),
    "billing.CreditHold": _read(),
    "billing.CustomerFlag": _read(),
    "billing.CustomerNote": _read(),
    "billing.DisputeMovement": _read(),
    "billing.FraudWarning": _read(),
    "billing.GrantAllocation": _read(),
    "billing.LedgerEntry": _read(),
    "billing.MoneyMovement": _read(),
    "billing.Notice": _read(),
    "billing.OperationPrice": _read(),
    "billing.OutgoingMail": _read(),
    "billing.Payment": _read(),
    "billing.PaymentDispute": _read(),
    "billing.PaymentRefund": _read(),
    "billing.PricingConfig": _read(),
    "billing.ReconciliationFinding": _read(),
    "billing.ReconciliationRun": _read(),
    "billing.RefundRequest": _read(),
    "billing.SignupBonus": _read(),
    "billing.StaffAlarm": _read(),
    "billing.StripeEvent": _read(),
    "billing.TopUpConsent": _read(),
    "billing.UncoveredPart": _read(),
    "billing.VoucherBatch": _read(),
    "billing.VoucherCode": _read(),
    "billing.VoucherRedemption": _read(),
    "billing.WebhookDelivery": _read(),
    "billing.WebhookEndpoint": _read(),
    "usage.CommitSummary": _read(),
    "usage.UsageCorrection": _read(),
    "usage.UsageEvent": _read(),
}

_ADJUSTING: Who = frozenset({SUPPORT, OWNER})
_APPROVING: Who = frozenset({APPROVER, OWNER})
_FREEZING: Who = frozenset({FINANCE, OWNER})
_REFUNDING: Who = frozenset({FINANCE, OWNER})
_RECONCILING: Who = frozenset({FINANCE, OWNER})
_CORRECTING: Who = frozenset({FINANCE, OWNER})
_REVOKING: Who = frozenset({SUPPORT, FINANCE, OWNER})
_NOTING: Who = frozenset({SUPPORT, FINANCE, OWNER})

PAGES = {
    "index": Page(get=ALL_STAFF, post=ALL_STAFF),
    "search": Page(get=ALL_STAFF, post=ALL_STAFF),
    "password_change": Page(get=ALL_STAFF, post=ALL_STAFF),  # leads to the product's own page
    "password_change_done": Page(get=ALL_STAFF, post=NO_ONE),
    "jsi18n": Page(get=ALL_STAFF, post=NO_ONE),
    "autocomplete": Page(get=NO_ONE, post=NO_ONE),  # no form asks for it; without a field it is refused
    "view_on_site": Page(get=NO_ONE, post=NO_ONE, arguments=lambda rows: [1, 1]),  # no row has a page of its own
    "app_list": Page(get=READERS, post=READERS, arguments=lambda rows: ["billing"]),
    "auth_user_password_change": _on("accounts.User", ONLY_OWNER),
    "billing_creditpack_simple_history": Page(get=READERS, post=NO_ONE),
    "billing_creditpack_adopt_price": _on("billing.CreditPack", ONLY_OWNER),
    "billing_plan_add_price": _on("billing.Plan", ONLY_OWNER),
    "billing_pricingconfig_new_price": Page(get=ONLY_OWNER, post=ONLY_OWNER),
    "billing_pricingconfig_new_version": _on("billing.PricingConfig", ONLY_OWNER),
    "billing_pricingconfig_withdraw": _on("billing.PricingConfig", ONLY_OWNER),
    "billing_operationprice_new_price": Page(get=ONLY_OWNER, post=ONLY_OWNER),
    "billing_operationprice_new_version": _on("billing.OperationPrice", ONLY_OWNER),
    "billing_operationprice_withdraw": _on("billing.OperationPrice", ONLY_OWNER),
    "accounts_apikey_make": Page(get=ONLY_OWNER, post=ONLY_OWNER),
    "accounts_apikey_revoke": _on("accounts.ApiKey", _REVOKING),
    "usage_usagecorrection_correct": Page(get=_CORRECTING, post=_CORRECTING),
    "usage_usagecorrection_reverse": _on("usage.UsageCorrection", _CORRECTING),
    "usage_usagecorrection_finish": _on("usage.UsageCorrection", _CORRECTING),
    "billing_billingcustomer_overdraft": _on("billing.BillingCustomer", _FREEZING),
    "billing_billingcustomer_adjust": _on("billing.BillingCustomer", _ADJUSTING),
    "billing_billingcustomer_write_off": _on("billing.BillingCustomer", _ADJUSTING),
    "billing_billingcustomer_freeze": _on("billing.BillingCustomer", _FREEZING),
    "billing_billingcustomer_unfreeze": _on("billing.BillingCustomer", _FREEZING),
    "billing_billingcustomer_clear_flag": _on("billing.BillingCustomer", _FREEZING),
    "billing_billingcustomer_turn_off_top_up": _on("billing.BillingCustomer", _FREEZING),
    "billing_billingcustomer_add_note": _on("billing.BillingCustomer", _NOTING),
    "billing_outgoingmail_send_again": _on("billing.OutgoingMail", _NOTING),
    "billing_stripeevent_replay_this": _on("billing.StripeEvent", _RECONCILING),
    "billing_webhookdelivery_replay_this": _on("billing.WebhookDelivery", _RECONCILING),
    "billing_adjustment_approve": _on("billing.Adjustment", _APPROVING),
    "billing_adjustment_decline": _on("billing.Adjustment", _APPROVING),
    "billing_payment_refund": _on("billing.Payment", _REFUNDING),
    "billing_payment_check_with_stripe": _on("billing.Payment", _RECONCILING),
    "billing_payment_grant_offered": _on("billing.Payment", _RECONCILING),
    "billing_reconciliationfinding_repair": _on("billing.ReconciliationFinding", _RECONCILING),
    "billing_reconciliationfinding_accept": _on("billing.ReconciliationFinding", _RECONCILING),
    "billing_reconciliationrun_run_now": Page(get=_RECONCILING, post=_RECONCILING),
    "billing_refundrequest_approve": _on("billing.RefundRequest", _APPROVING),
    "billing_refundrequest_decline": _on("billing.RefundRequest", _APPROVING),
    "billing_refundrequest_send_now": _on("billing.RefundRequest", _REFUNDING | _APPROVING),
    "billing_voucherbatch_make": Page(get=_ADJUSTING, post=_ADJUSTING),
    "billing_voucherbatch_codes": Page(get=NO_ONE, post=NO_ONE, arguments=_of("billing.VoucherBatch")),  # without codes
    "billing_voucherbatch_approve": _on("billing.VoucherBatch", _APPROVING),
    "billing_voucherbatch_decline": _on("billing.VoucherBatch", _APPROVING),
    "billing_voucherbatch_disable": _on("billing.VoucherBatch", _ADJUSTING | _APPROVING),
    "billing_ledgerentry_export": _export("ledger"),
    "billing_adjustment_export": _export("adjustments"),
    "billing_payment_export": _export("payments"),
    "usage_usageevent_export": _export("usage"),
    "billing_books": Page(get=EXPORTING, post=NO_ONE),
    "billing_books_months": Page(get=EXPORTING, post=NO_ONE),
    "billing_books_journal": Page(get=EXPORTING, post=NO_ONE, arguments=lambda rows: ["2026-11"]),
}

ACTIONS = {
    "accounts.User:delete_selected": ONLY_OWNER,
    "auth.Group:delete_selected": ONLY_OWNER,
    "account.EmailAddress:delete_selected": ONLY_OWNER,
    "account.EmailAddress:make_verified": ONLY_OWNER,
    "mfa.Authenticator:delete_selected": ONLY_OWNER,
    "socialaccount.SocialAccount:delete_selected": ONLY_OWNER,
    "usersessions.UserSession:delete_selected": ONLY_OWNER,
    "billing.CreditPack:delete_selected": ONLY_OWNER,
    "billing.Plan:delete_selected": ONLY_OWNER,
    "billing.StripeEvent:replay": _RECONCILING,
}

"""How the pages of staff look and what their menu lists (django-unfold)."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse_lazy


def _may_view(permission: str) -> Callable[[HttpRequest], bool]:
    """Whether the member of staff may see the list, asked when the menu is drawn."""
    return lambda request: request.user.has_perm(permission)


def _page(title: str, icon: str, app: str, model: str) -> dict[str, Any]:
    return {
        "title": title,
        "icon": icon,
        "link": reverse_lazy(f"admin:{app}_{model}_changelist"),
        "permission": _may_view(f"{app}.view_{model}"),
    }


UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Prepaid staff",
    "SITE_HEADER": "Prepaid",
    "SITE_SUBHEADER": "Billing",
    "SITE_SYMBOL": "toll",
    "SITE_URL": "/billing/",
    "SHOW_BACK_BUTTON": True,
    "STYLES": [lambda request: static("css/admin.css")],
    "DASHBOARD_CALLBACK": "billing.admin.dashboard.add_figures",
    "SIDEBAR": {
        "show_search": True,
        "navigation": [
            {
                "items": [{"title": "Overview", "icon": "dashboard", "link": reverse_lazy("admin:index")}],
            },
            {
                "title": "Customers",
                "separator": True,
                "items": [
                    _page("Customers", "group", "billing", "billingcustomer"),
                    _page("Balances", "account_balance_wallet", "billing", "creditbalance"),
                    _page("Approvals", "how_to_reg", "billing", "adjustment"),
                    _page("Flags", "flag", "billing", "customerflag"),
                    _page("Automatic top-ups", "autorenew", "billing", "autotopup"),
                    _page("Top-up consents", "handshake", "billing", "topupconsent"),
                    _page("Notes", "sticky_note_2", "billing", "customernote"),
                    _page("Notices", "campaign", "billing", "notice"),
                    _page("Mails", "outgoing_mail", "billing", "outgoingmail"),
                    _page("Sign-up bonuses", "redeem", "billing", "signupbonus"),
                    _page("Vouchers", "confirmation_number", "billing", "voucherbatch"),
                    _page("Voucher codes", "password", "billing", "vouchercode"),
                    _page("Voucher uses", "fact_check", "billing", "voucherredemption"),
                ],
            },
            {
                "title": "Ledger",
                "separator": True,
                "items": [
                    _page("Entries", "receipt_long", "billing", "ledgerentry"),
                    _page("Grants", "savings", "billing", "creditgrant"),
                    _page("Allocations", "call_split", "billing", "grantallocation"),
                    _page("Uncovered parts", "money_off", "billing", "uncoveredpart"),
                    _page("Holds", "pending_actions", "billing", "credithold"),
                ],
            },
            {
                "title": "Usage",
                "separator": True,
                "items": [
                    _page("Usage", "query_stats", "usage", "usageevent"),
                    _page("Corrections", "published_with_changes", "usage", "usagecorrection"),
                    _page("Commit summaries", "summarize", "usage", "commitsummary"),
                    _page("API keys", "vpn_key", "accounts", "apikey"),
                ],
            },
            {
                "title": "Money",
                "separator": True,
                "items": [
                    _page("Payments", "payments", "billing", "payment"),
                    _page("Refund requests", "currency_exchange", "billing", "refundrequest"),
                    _page("Refunds", "undo", "billing", "paymentrefund"),
                    _page("Disputes", "gavel", "billing", "paymentdispute"),
                    _page("Fraud warnings", "warning", "billing", "fraudwarning"),
                    _page("Money movements", "swap_vert", "billing", "moneymovement"),
                    {
                        "title": "Books",
                        "icon": "menu_book",
                        "link": reverse_lazy("admin:billing_books"),
                        "permission": _may_view("billing.view_books"),
                    },
                    _page("Credit packs", "sell", "billing", "creditpack"),
                    _page("Plans", "workspace_premium", "billing", "plan"),
                    _page("Subscriptions", "autorenew", "billing", "subscription"),
                    _page("Invoices", "receipt_long", "billing", "invoice"),
                    _page("Model prices", "price_change", "billing", "pricingconfig"),
                    _page("Operation prices", "request_quote", "billing", "operationprice"),
                    _page("Stripe events", "inbox", "billing", "stripeevent"),
                    _page("Webhook endpoints", "webhook", "billing", "webhookendpoint"),
                    _page("Webhook deliveries", "outbox", "billing", "webhookdelivery"),
                ],
            },
            {
                "title": "Reconciliation",
                "separator": True,
                "items": [
                    _page("Alarms", "notifications_active", "billing", "staffalarm"),
                    _page("Findings", "rule", "billing", "reconciliationfinding"),
                    _page("Runs", "sync_alt", "billing", "reconciliationrun"),
                ],
            },
            {
                "title": "People",
                "separator": True,
                "items": [
                    _page("Users", "person", "accounts", "user"),
                    _page("E-mail addresses", "mail", "account", "emailaddress"),
                    _page("Second factors", "key", "mfa", "authenticator"),
                    _page("Google logins", "link", "socialaccount", "socialaccount"),
                    _page("Sessions", "devices", "usersessions", "usersession"),
                    _page("Groups", "badge", "auth", "group"),
                    _page("Audit log", "history", "billing", "auditentry"),
                ],
            },
        ],
    },
}

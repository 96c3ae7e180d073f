"""A bill: the lines that a subscription owes now, and the invoice that they become."""

from dataclasses import dataclass

from sandbox.stripe.machine import Sandbox
from sandbox.stripe.objects.invoice_items import items_of, line_of
from sandbox.stripe.records import Resource, new_id
from sandbox.stripe.subscriptions.collecting import mark_paid
from sandbox.stripe.subscriptions.discounts import apply_discounts, keep_lasting, percent_off
from sandbox.stripe.subscriptions.dunning import collect_and_follow, follow_payment
from sandbox.stripe.subscriptions.invoice_form import tax_lines
from sandbox.stripe.subscriptions.invoicing import draft_invoice, finalize_invoice, void_invoice, write_off_invoice
from sandbox.stripe.subscriptions.lines import take_pending


@dataclass(frozen=True)
class Bill:
    """An invoice to be. ``period`` is the start and end that it shows."""

    invoice_id: str
    lines: list[Resource]
    discounts: list[str]
    reason: str
    period: tuple[int, int]


def prepare_bill(
    sandbox: Sandbox, subscription: Resource, *, reason: str, lines: list[Resource], period: tuple[int, int]
) -> Bill:
    """A bill of these lines and of all pending ones. The subscription, which is not saved here, notes its invoice.

    With a new period it takes the customer's pending items that belong to no subscription too, as Stripe does.
    """
    invoice_id = new_id("in")
    discounts = list(subscription["discounts"])
    _note_lines(sandbox, subscription, lines, invoice_id)
    if apply_discounts(sandbox, lines, discounts):
        subscription["discounts"] = keep_lasting(sandbox, discounts)
    subscription["latest_invoice"] = invoice_id
    pending = take_pending(sandbox, subscription["id"], invoice_id=invoice_id)
    for line in pending:
        _note_pending(subscription, line, invoice_id)
    others = _take_others(sandbox, subscription, invoice_id) if reason == "subscription_cycle" else []
    all_lines = [*pending, *others, *lines]
    tax_lines(sandbox, subscription, all_lines)
    return Bill(invoice_id, all_lines, discounts, reason, period)


def issue_bill(sandbox: Sandbox, subscription: Resource, bill: Bill, *, paid_by: Resource | None = None) -> Resource:
    """The invoice of a bill, collected at once; or kept, written off or voided where collection is paused.

    ``paid_by`` is a payment intent that has paid it already.
    """
    invoice = draft_invoice(
        sandbox,
        subscription,
        lines=bill.lines,
        invoice_id=bill.invoice_id,
        billing_reason=bill.reason,
        discounts=bill.discounts,
        period_start=bill.period[0],
        period_end=bill.period[1],
        **({"_retries": []} if bill.reason == "subscription_create" else {}),
    )
    paused = (subscription["pause_collection"] or {}).get("behavior")
    if paused == "keep_as_draft" or subscription["status"] == "unpaid":
        sandbox.store.put({**invoice, "auto_advance": False})
        return invoice
    finalize_invoice(sandbox, invoice, intent=paid_by)
    if invoice["amount_due"] == 0 or paid_by is not None:
        mark_paid(sandbox, invoice)
        follow_payment(sandbox, invoice, is_paid=True)
    elif paused == "void":
        void_invoice(sandbox, invoice)
    elif paused == "mark_uncollectible":
        write_off_invoice(sandbox, invoice)
    else:
        collect_and_follow(sandbox, invoice)
    return invoice


def _take_others(sandbox: Sandbox, subscription: Resource, invoice_id: str) -> list[Resource]:
    """The lines of the customer's pending items in this currency; from now on they belong to this invoice."""
    found = items_of(sandbox, customer_id=subscription["customer"], invoice_id=None)
    items = [{**item, "invoice": invoice_id} for item in found if item["currency"] == subscription["currency"]]
    for item in items:
        sandbox.store.put(item)
    return [line_of(item) for item in items]


def _note_pending(subscription: Resource, line: Resource, invoice_id: str) -> None:
    """Note in the item of a proration that it billed the rest of its period: a further change gives that back."""
    item_id = line["parent"]["subscription_item_details"]["subscription_item"]
    for item in subscription["items"]["data"]:
        if item["id"] == item_id and line["amount"] > 0:
            item["_billed_by"] = {"invoice": invoice_id, "line": line["id"]}


def _note_lines(sandbox: Sandbox, subscription: Resource, lines: list[Resource], invoice_id: str) -> None:
    """Note in each item which line billed it and at what discount: a change of plan gives that back."""
    taken = percent_off(sandbox, subscription["discounts"])
    by_item = {line["parent"]["subscription_item_details"]["subscription_item"]: line for line in lines}
    for item in subscription["items"]["data"]:
        if line := by_item.get(item["id"]):
            item["_billed_by"] = {"invoice": invoice_id, "line": line["id"]}
            item["_percent_off"] = taken
            item["_discount"] = next(iter(subscription["discounts"]), None)

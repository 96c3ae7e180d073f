"""The levers for credit notes, as somebody issues and voids them at Stripe's dashboard."""

from typing import Literal, TypeAlias

from sandbox.stripe.crediting.creditable import creditable_amount
from sandbox.stripe.crediting.issuing import issue_note, void_note
from sandbox.stripe.crediting.note_form import Words
from sandbox.stripe.crediting.settlements import Settlement
from sandbox.stripe.machine import Sandbox
from sandbox.stripe.records import Resource, public

Way: TypeAlias = Literal["refund", "balance", "out_of_band"]


class CreditNoteLevers:
    """A part of ``Control``."""

    sandbox: Sandbox

    def issue_credit_note(
        self,
        invoice_id: str,
        *,
        amount: int | None = None,
        way: Way | None = None,
        reason: str | None = None,
        memo: str | None = None,
        metadata: dict[str, str] | None = None,
    ) -> Resource:
        """Credit what is left of an invoice, or ``amount``. Returns the credit note.

        What is still to be paid is reduced first. What was paid goes back in one ``way``: refunded, to the customer's
        balance, or outside of Stripe; without one the note may take no more than is still to be paid.
        """
        with self.sandbox.work():
            invoice = self.sandbox.require("invoice", invoice_id)
            credited = creditable_amount(self.sandbox, invoice) if amount is None else amount
            note = issue_note(
                self.sandbox,
                invoice,
                amount=credited,
                settlement=_settle(way, amount=max(0, credited - invoice["amount_remaining"])),
                words=Words(reason=reason, memo=memo, metadata=metadata or {}),
            )
            return public(note)

    def void_credit_note(self, credit_note_id: str) -> Resource:
        """Void a credit note, while its invoice is open. Returns it."""
        with self.sandbox.work():
            note = self.sandbox.require("credit_note", credit_note_id)
            void_note(self.sandbox, note)
            return public(note)


def _settle(way: Way | None, *, amount: int) -> Settlement:
    match way:
        case None:
            return Settlement()
        case "refund":
            return Settlement(refund_amount=amount)
        case "balance":
            return Settlement(credit_amount=amount)
        case "out_of_band":
            return Settlement(out_of_band_amount=amount)
    raise ValueError(f"{way} is none of refund, balance, out_of_band.")

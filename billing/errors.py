"""Refusals that a caller can act on. Each has a stable `code`; HTTP statuses live at the edge."""

from datetime import datetime
from decimal import Decimal


class BillingError(Exception):
    """A request was refused; nothing was changed. `code` is stable, the text is for people."""

    code = "billing_error"


class InvalidAmount(BillingError):
    """An amount cannot mean what it says."""

    code = "invalid_amount"

    def __init__(self, *, field: str, fault: str) -> None:
        self.field, self.fault = field, fault
        super().__init__(f"{field}: {fault}. Send a decimal number such as '12.5'.")


class InvalidRequest(BillingError):
    """A field's value cannot be used."""

    code = "invalid_request"

    def __init__(self, *, field: str, fault: str, remedy: str) -> None:
        self.field, self.fault, self.remedy = field, fault, remedy
        super().__init__(f"{field}: {fault}. {remedy}")


class InsufficientCredits(BillingError):
    """More credits were asked for than the customer can spend."""

    code = "insufficient_credits"

    def __init__(self, *, available: Decimal, required: Decimal) -> None:
        self.available, self.required = available, required
        super().__init__(f"{required} credits are needed, {available} are available.")


class KeyLimitReached(BillingError):
    """The API key has spent what it may in this month; the customer may have more."""

    code = "key_limit_reached"

    def __init__(self, *, limit: Decimal, available: Decimal, required: Decimal) -> None:
        self.limit, self.available, self.required = limit, available, required
        super().__init__(
            f"{required} credits are needed; {available} are left of the {limit} that this API key may spend a month."
        )


class UnknownModel(BillingError):
    """The model has no price, so nobody is served."""

    code = "unknown_model"

    def __init__(self, *, model: str, known: list[str]) -> None:
        self.model, self.known = model, known
        super().__init__(f"There is no model {model!r} here. There are: {', '.join(known) or 'none yet'}.")


class ModelNotInPlan(BillingError):
    """The model has a price, and the customer's plan does not include it."""

    code = "model_not_in_plan"

    def __init__(self, *, model: str, plan: str, models: list[str]) -> None:
        self.model, self.plan, self.models = model, plan, models
        super().__init__(
            f"The plan {plan} does not include the model {model!r}. It includes: {', '.join(models)}. "
            "A larger plan may include more."
        )


class CallAbovePlan(BillingError):
    """The call may take more tokens than one call of the customer's plan."""

    code = "call_above_plan_limit"

    def __init__(self, *, plan: str, limit: int, tokens: int) -> None:
        self.plan, self.token_limit, self.tokens = plan, limit, tokens
        super().__init__(
            f"This call may take {tokens} tokens, question and answer together; the plan {plan} allows {limit} a call. "
            "Ask for a shorter answer (max_tokens), or choose a larger plan."
        )


class UnknownOperation(BillingError):
    """The operation has no price."""

    code = "unknown_operation"

    def __init__(self, *, operation: str, known: list[str]) -> None:
        self.operation, self.known = operation, known
        super().__init__(f"There is no operation {operation!r} here. There are: {', '.join(known) or 'none yet'}.")


class CustomerNotFound(BillingError):
    """No customer of that name is within the caller's reach."""

    code = "customer_not_found"

    def __init__(self, *, customer: str) -> None:
        self.customer = customer
        super().__init__(f"There is no customer {customer!r}. Send a cust_… id or the external_id it was made with.")


class ScopeMissing(BillingError):
    """The API key was not given the right to do this."""

    code = "scope_missing"

    def __init__(self, *, scope: str) -> None:
        self.scope = scope
        super().__init__(f"This needs an API key with the scope {scope}.")


class RequestInFlight(BillingError):
    """The same idempotency key is being worked on right now."""

    code = "request_in_flight"
    retry_after_seconds = 1

    def __init__(self, *, key: str) -> None:
        self.key = key
        super().__init__(f"A request with the idempotency key {key!r} is being worked on. Ask again in a second.")


class RateLimited(BillingError):
    """Too many requests in a minute."""

    code = "rate_limited"

    def __init__(self, *, retry_after_seconds: int) -> None:
        self.retry_after_seconds = retry_after_seconds
        super().__init__(f"Too many requests. Try again in {retry_after_seconds} seconds.")


class CustomerFrozen(BillingError):
    """The customer may not spend until staff lift the freeze."""

    code = "customer_frozen"

    def __init__(self) -> None:
        super().__init__("Spending is on hold for this account. Please contact support.")


class IdempotencyConflict(BillingError):
    """The key was used before, for another request."""

    code = "idempotency_conflict"

    def __init__(self, *, key: str) -> None:
        self.key = key
        super().__init__(f"The idempotency key {key!r} belongs to another request. Use a new key for a new intent.")


class BatchRefused(BillingError):
    """One posting of an all-or-nothing batch was refused, so none was made. `refusals` maps its index to the reason."""

    code = "batch_refused"

    def __init__(self, *, refusals: dict[int, BillingError]) -> None:
        self.refusals = refusals
        first = min(refusals)
        super().__init__(f"Posting {first} was refused, so nothing was posted: {refusals[first]}")


class HoldNotFound(BillingError):
    """No hold of that name belongs to the caller."""

    code = "hold_not_found"

    def __init__(self, *, hold: str) -> None:
        self.hold = hold
        super().__init__(f"There is no hold {hold}.")


class HoldEnded(BillingError):
    """The hold has ended in another way than the one asked for now."""

    code = "hold_ended"

    def __init__(self, *, hold: str, state: str, ended_at: datetime | None) -> None:
        self.hold, self.state, self.ended_at = hold, state, ended_at
        super().__init__(
            f"The hold {hold} was already {state}" + (f" at {ended_at:%Y-%m-%d %H:%M:%S} UTC." if ended_at else ".")
        )


class NotPermitted(BillingError):
    """The caller has no right to do this."""

    code = "not_permitted"

    def __init__(self, *, permission: str) -> None:
        self.permission = permission
        super().__init__(f"This needs the permission {permission}. Ask an administrator for it.")


class OwnAccount(BillingError):
    """Nobody moves credits or money of their own account as staff."""

    code = "own_account"

    def __init__(self) -> None:
        super().__init__("This is your own account. Ask a colleague: nobody decides about their own credits.")


class SecondPersonNeeded(BillingError):
    """Who asked for it cannot decide on it as well."""

    code = "second_person_needed"

    def __init__(self) -> None:
        super().__init__("You asked for this yourself. Another person with the right to approve decides.")


class ApprovalEnded(BillingError):
    """The request was decided before, or its time was over."""

    code = "approval_ended"

    def __init__(self, *, request: str, decision: str) -> None:
        self.request, self.decision = request, decision
        super().__init__(f"{request} is {decision} already. Nothing was changed now.")


class NothingToWriteOff(BillingError):
    """The customer has no debt that could be given up."""

    code = "nothing_to_write_off"

    def __init__(self) -> None:
        super().__init__("There is no debt to write off.")


class IdempotencyKeyRequired(BillingError):
    """A request that moves credits came without a name for its intent."""

    code = "idempotency_key_required"

    def __init__(self) -> None:
        super().__init__("Send the header Idempotency-Key: a new key, such as a UUID, for each new intent.")


class RefundNotPossible(BillingError):
    """Staff asked for a refund that the payment does not allow now."""

    code = "refund_not_possible"

    def __init__(self, *, payment: str, fault: str) -> None:
        self.payment, self.fault = payment, fault
        super().__init__(f"{payment} cannot be refunded so: {fault}.")


class CorrectionNotPossible(BillingError):
    """Charges of a period cannot be corrected so, or not now."""

    code = "correction_not_possible"

    def __init__(self, *, fault: str) -> None:
        self.fault = fault
        super().__init__(f"This correction is not possible: {fault}.")


class NothingSold(BillingError):
    """Nothing is sold, or not to this customer yet."""

    code = "nothing_sold"

    def __init__(self) -> None:
        super().__init__("Nothing can be bought at the moment. Your credits can be spent as always.")


class PackUnavailable(BillingError):
    """The pack cannot be bought (any more)."""

    code = "pack_unavailable"

    def __init__(self, *, pack: str) -> None:
        self.pack = pack
        super().__init__(f"The pack {pack!r} is not for sale. Choose one of the packs on the buy page.")


class PlanUnavailable(BillingError):
    """The plan cannot be subscribed to (any more)."""

    code = "plan_unavailable"

    def __init__(self, *, plan: str) -> None:
        self.plan = plan
        super().__init__(f"The plan {plan!r} cannot be subscribed to here. Choose one of the plans on the plans page.")


class PortalNotReady(BillingError):
    """Nothing is sold to the customer, and a portal in which nothing is sold has not been set up so far."""

    code = "portal_not_ready"

    def __init__(self) -> None:
        super().__init__(
            "Stripe's portal cannot be opened as a whole at the moment. "
            "Changing the card (update_card) and cancelling the plan (cancel) work all the same."
        )


class AlreadySubscribed(BillingError):
    """The customer has a subscription, which is changed and not doubled."""

    code = "already_subscribed"

    def __init__(self, *, plan: str) -> None:
        self.plan = plan
        super().__init__(f"You are subscribed to {plan} already. Change the plan instead of subscribing again.")


class CheckoutRateLimited(BillingError):
    """Too many checkouts were opened in the last minute."""

    code = "checkout_rate_limited"

    def __init__(self, *, retry_after_seconds: int) -> None:
        self.retry_after_seconds = retry_after_seconds
        super().__init__(
            f"Too many checkouts were started. Try again in {retry_after_seconds} seconds; nothing was charged."
        )


class EmailNotVerified(BillingError):
    """Only who has shown that an e-mail address is theirs may do this."""

    code = "email_not_verified"

    def __init__(self) -> None:
        super().__init__("Verify your e-mail address first. The link is in the mail that we sent you.")


class VoucherUnknown(BillingError):
    """No code of that kind works here: it was never made, or staff have ended it."""

    code = "voucher_unknown"

    def __init__(self) -> None:
        super().__init__("We do not know this code. Check it for typing mistakes.")


class VoucherNotYetValid(BillingError):
    """The code works from a later moment on."""

    code = "voucher_not_yet_valid"

    def __init__(self, *, valid_from: datetime) -> None:
        self.valid_from = valid_from
        super().__init__(f"This code works from {valid_from:%-d %B %Y, %H:%M} UTC.")


class VoucherExpired(BillingError):
    """The code's time is over."""

    code = "voucher_expired"

    def __init__(self) -> None:
        super().__init__("This code has expired.")


class VoucherUsedUp(BillingError):
    """The code was used as often as it can be, by others."""

    code = "voucher_used_up"

    def __init__(self) -> None:
        super().__init__("This code has been used already.")


class VoucherAlreadyRedeemed(BillingError):
    """The customer has used the code as often as one customer can."""

    code = "voucher_already_redeemed"

    def __init__(self, *, redeemed_at: datetime) -> None:
        self.redeemed_at = redeemed_at
        super().__init__(
            f"You used this code on {redeemed_at:%-d %B %Y}; its credits were added then. Nothing was added now."
        )


class VoucherGuessesExceeded(BillingError):
    """Too many codes that brought nothing, from this customer or this address."""

    code = "voucher_guesses_exceeded"

    def __init__(self, *, retry_after_seconds: int) -> None:
        self.retry_after_seconds = retry_after_seconds
        super().__init__(f"Too many codes did not work. Try again in {-(-retry_after_seconds // 60)} minutes.")


class StripeRefused(BillingError):
    """Stripe answered that the request cannot be carried out; asking again will not help."""

    code = "stripe_refused"

    def __init__(self, message: str, *, stripe_code: str | None = None, request_id: str | None = None) -> None:
        self.stripe_code, self.request_id = stripe_code, request_id
        super().__init__(message)


class StripeObjectMissing(StripeRefused):
    """Stripe knows no object of that id."""

    code = "stripe_object_missing"


class PaymentDeclined(StripeRefused):
    """The bank refused a payment that was tried without the customer. Nothing was taken.

    `payment_intent_id` names the attempt at Stripe, `stripe_code` and `decline_code` say why in Stripe's words.
    """

    code = "payment_declined"

    def __init__(
        self,
        message: str,
        *,
        stripe_code: str | None = None,
        request_id: str | None = None,
        decline_code: str = "",
        payment_intent_id: str = "",
        payment_method_id: str = "",
        charge_id: str = "",
    ) -> None:
        self.decline_code, self.payment_intent_id = decline_code, payment_intent_id
        self.payment_method_id, self.charge_id = payment_method_id, charge_id
        super().__init__(message, stripe_code=stripe_code, request_id=request_id)


class PaymentNeedsAuthentication(PaymentDeclined):
    """The bank wants to hear from the customer first. Nothing was taken; only the customer can pay, on a page."""

    code = "payment_needs_authentication"


class StripeUnavailable(BillingError):
    """Stripe could not be reached or failed; whether it acted is unknown. Asking again with the same key is safe."""

    code = "stripe_unavailable"


class WebhookRefused(BillingError):
    """A delivery to the webhook is not one of Stripe's, or not one that we may trust."""

    code = "webhook_refused"


class WebhookEndpointNotFound(BillingError):
    """There is no such webhook endpoint, or it is somebody else's."""

    code = "webhook_endpoint_not_found"

    def __init__(self, *, endpoint: str) -> None:
        self.endpoint = endpoint
        super().__init__(f"There is no webhook endpoint {endpoint}.")


class WebhookEndpointExists(BillingError):
    """The address is subscribed already."""

    code = "webhook_endpoint_exists"

    def __init__(self, *, url: str) -> None:
        self.url = url
        super().__init__("This address is an endpoint already. Change its events, or delete it first.")


class TooManyWebhookEndpoints(BillingError):
    """The customer has as many endpoints as one may have."""

    code = "too_many_webhook_endpoints"

    def __init__(self, *, most: int) -> None:
        self.most = most
        super().__init__(f"There are {most} webhook endpoints already. Delete one that is not used any more.")


class DeliveryNotPossible(BillingError):
    """Nothing can be sent to the endpoint as it is."""

    code = "delivery_not_possible"

    def __init__(self, *, fault: str, remedy: str) -> None:
        self.fault, self.remedy = fault, remedy
        super().__init__(f"{fault}. {remedy}")

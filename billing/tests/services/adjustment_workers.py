"""What the processes of the race tests of adjustments do. Each has its own interpreter and its own connection."""

from decimal import Decimal


def ask_again_and_again(customer_id: int, actor_id: int, amount: str, times: int) -> list[str]:
    """Ask for credits with a new form each time; gives the states of the adjustments."""
    from accounts.models import User
    from billing.models import BillingCustomer
    from billing.services.adjustments import request_adjustment

    customer, actor = BillingCustomer.objects.get(pk=customer_id), User.objects.get(pk=actor_id)
    return [
        str(
            request_adjustment(
                customer=customer,
                amount=Decimal(amount),
                reason_code="goodwill",
                note="Race",
                form_key=f"form-{customer_id}-{number}",
                actor=actor,
                address="203.0.113.7",
            ).adjustment.state
        )
        for number in range(times)
    ]

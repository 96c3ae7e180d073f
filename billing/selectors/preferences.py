"""What a customer has chosen to be told of."""

from billing.models import AutoTopUp, NotificationPreferences, TopUpState


def read_preferences(*, customer_id: int) -> NotificationPreferences:
    """The customer's choices; unsaved ones that say "everything, as usual" where they have made none."""
    row = NotificationPreferences.objects.filter(pk=customer_id).first()
    return row or NotificationPreferences(customer_id=customer_id)


def read_top_up_state(*, customer_id: int) -> TopUpState:
    """Whether automatic top-up is on; off where it was never set up."""
    row = AutoTopUp.objects.filter(pk=customer_id).first()
    return TopUpState(row.state) if row else TopUpState.OFF

"""Cards that are declined: again after an hour, then after six, and the third in a row turns it off."""

from datetime import timedelta

import pytest
from django.utils import timezone

from billing.models import Notice
from billing.tests.services.top_ups.conftest import Clock
from billing.tests.top_ups import ASKS, DECLINED, PAYS, Shopper

pytestmark = pytest.mark.django_db


def notices(shopper: Shopper) -> list[str]:
    rows = Notice.objects.filter(customer=shopper.customer, event__startswith="top_up.").order_by("pk")
    return list(rows.values_list("event", flat=True))


def test_three_declines_in_a_row_turn_it_off_and_say_so(shopper: Shopper, clock: Clock) -> None:
    shopper.change_card(DECLINED)
    shopper.spend_down_to(0)
    shopper.run()
    assert shopper.due_in is not None
    assert timedelta(minutes=59) < shopper.due_in <= timedelta(hours=1)
    clock.move(minutes=59)
    shopper.run()
    assert len(shopper.attempts) == 1
    clock.move(minutes=2)
    shopper.run()
    assert shopper.due_in is not None
    assert timedelta(hours=5, minutes=59) < shopper.due_in <= timedelta(hours=6)
    clock.move(hours=6)
    shopper.run()

    assert [attempt.state for attempt in shopper.attempts] == ["failed"] * 3
    assert shopper.state == ("off", "declined")
    assert shopper.charges() == []
    assert notices(shopper) == ["top_up.failed", "top_up.failed", "top_up.turned_off"]
    told = Notice.objects.filter(event="top_up.failed").earliest("pk").payload
    assert told["payment"] == shopper.attempts[0].public_id
    assert (told["amount_minor"], told["currency"], told["credits"]) == (1000, "usd", "10500.000000")
    assert told["reason"] == "Your card was declined."
    assert Notice.objects.get(event="top_up.turned_off").payload == {
        "reason": "Your card was declined three times in a row."
    }
    clock.move(days=2)
    shopper.change_card(PAYS)
    shopper.deliver()
    shopper.run()
    assert (shopper.state, shopper.charges()) == (("off", "declined"), [])


def test_a_payment_in_between_starts_the_count_again(shopper: Shopper, clock: Clock) -> None:
    for card in (DECLINED, DECLINED, PAYS, DECLINED, DECLINED):
        shopper.change_card(card)
        shopper.buy(saves_card=False) if shopper.balance.posted < 1000 and shopper.due_in is None else None
        if shopper.due_in is None:
            shopper.spend_down_to(0)
        clock.move(hours=7)
        shopper.run()

    assert [attempt.state for attempt in shopper.attempts] == ["failed", "failed", "paid", "failed", "failed"]
    assert shopper.state == ("on", "")


def test_a_new_consent_starts_the_count_again(shopper: Shopper, clock: Clock) -> None:
    shopper.change_card(DECLINED)
    shopper.spend_down_to(0)
    for _ in range(3):
        shopper.run()
        clock.move(hours=7)
    assert shopper.state == ("off", "declined")
    shopper.consent()
    shopper.buy(saves_card=False)
    shopper.spend_down_to(0)

    shopper.run()

    assert (len(shopper.attempts), shopper.state) == (4, ("on", ""))


def test_credits_bought_by_hand_end_the_retries(shopper: Shopper, clock: Clock) -> None:
    shopper.change_card(DECLINED)
    shopper.spend_down_to(0)
    shopper.run()
    shopper.buy(saves_card=False)
    clock.move(hours=2)

    shopper.run()

    assert (len(shopper.attempts), shopper.due_in) == (1, None)


def test_a_bank_that_wants_the_customer_pauses_it_with_a_link(shopper: Shopper, clock: Clock) -> None:
    shopper.change_card(ASKS)
    shopper.spend_down_to(0)

    shopper.run()

    assert shopper.state == ("authentication_needed", "authentication")
    assert notices(shopper) == ["top_up.authentication_needed"]
    url = Notice.objects.get(event="top_up.authentication_needed").payload["url"]
    assert url.endswith(f"/billing/buy/{shopper.pack.slug}/?save_card=1")
    clock.move(days=1)
    shopper.deliver()
    shopper.run()
    assert (len(shopper.attempts), shopper.charges()) == (1, [])


def test_events_of_a_decline_change_nothing(shopper: Shopper) -> None:
    shopper.change_card(DECLINED)
    shopper.spend_down_to(0)
    shopper.run()
    due_at = shopper.balance.top_up_due_at

    shopper.deliver()
    shopper.run()

    assert (shopper.balance.top_up_due_at, len(shopper.attempts)) == (due_at, 1)
    assert due_at is not None
    assert due_at > timezone.now()

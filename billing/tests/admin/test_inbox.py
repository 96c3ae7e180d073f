from __future__ import annotations

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.test import Client

from accounts.models import User
from billing.models import StripeEvent
from billing.tests.admin.conftest import World, make_event

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("quiet_broker")]
LIST = "/admin/billing/stripeevent/"


def chosen(*events: StripeEvent, **more: str) -> dict[str, object]:
    return {"action": "replay", "index": "0", "_selected_action": [event.pk for event in events], **more}


def test_an_event_shows_its_body_and_traceback_escaped(admin: Client, world: World) -> None:
    page = admin.get(f"{LIST}{world.event.pk}/change/").content.decode()

    assert "&quot;id&quot;: &quot;evt_ada&quot;" in page
    assert "Traceback: &lt;b&gt;boom&lt;/b&gt;" in page
    assert "<b>boom</b>" not in page


def test_states_filter_the_list(admin: Client, world: World) -> None:
    make_event("evt_done", state="done")

    listed = admin.get(LIST, {"state__exact": "done"}).context["cl"].result_list

    assert [event.event_id for event in listed] == ["evt_done"]


def test_a_replay_asks_first(admin: Client, world: World) -> None:
    page = admin.post(LIST, chosen(world.event))

    assert "evt_ada" in page.content.decode()
    world.event.refresh_from_db()
    assert world.event.state == "dead"


def test_a_confirmed_replay_makes_the_events_due_again(admin: Client, world: World) -> None:
    ignored = make_event("evt_ignored", state="ignored")

    page = admin.post(LIST, chosen(world.event, ignored, confirm="1"), follow=True)

    assert "1 of 2 events" in page.content.decode()
    world.event.refresh_from_db()
    ignored.refresh_from_db()
    assert (world.event.state, world.event.tries, world.event.traceback) == ("pending", 0, "")
    assert ignored.state == "ignored"
    assert LogEntry.objects.get().get_change_message() == "Replayed"


def test_one_event_is_replayed_from_its_page(admin: Client, world: World) -> None:
    replay = f"{LIST}{world.event.pk}/replay/"

    assert replay in admin.get(f"{LIST}{world.event.pk}/change/").content.decode()
    assert admin.get(replay).status_code == 200
    world.event.refresh_from_db()
    assert world.event.state == "dead"
    admin.post(replay, {"confirm": "1"})
    world.event.refresh_from_db()
    assert world.event.state == "pending"


def test_an_ignored_event_is_not_replayed_from_its_page(admin: Client) -> None:
    ignored = make_event("evt_ignored", state="ignored")

    page = admin.post(f"{LIST}{ignored.pk}/replay/", {"confirm": "1"}, follow=True)

    assert "never replayed" in page.content.decode()
    ignored.refresh_from_db()
    assert ignored.state == "ignored"


def test_who_may_only_look_cannot_replay(world: World) -> None:
    clerk, client = User.objects.create_user("clerk@example.com", is_staff=True), Client()
    clerk.user_permissions.set(Permission.objects.filter(codename="view_stripeevent"))
    client.force_login(clerk)

    client.post(LIST, chosen(world.event, confirm="1"))
    refused = client.post(f"{LIST}{world.event.pk}/replay/", {"confirm": "1"})

    assert refused.status_code == 403
    world.event.refresh_from_db()
    assert world.event.state == "dead"

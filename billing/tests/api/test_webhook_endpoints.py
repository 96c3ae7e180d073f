"""Endpoints of webhooks by program: whose they are, a secret that is told once, and what was sent."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from billing.models import AuditEntry, BillingCustomer, IdempotentAnswer, WebhookAttempt, WebhookEndpoint
from billing.services.customers import create_external_customer
from billing.services.webhook_endpoints import MAX_ENDPOINTS, secrets_of
from billing.tests.api.conftest import V1, Program, make_program
from billing.tests.api.test_ground import check_problem
from billing.tests.integrator import message_for, subscribe
from billing.tests.shop import make_customer

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("quiet_broker")]
PATH, URL = "/webhook-endpoints", "https://hooks.example.com/in"
BODY: dict[str, Any] = {"url": URL, "events": ["credits.granted", "balance.low"], "description": "Books"}


def delete(program: Program, path: str, **headers: str) -> Any:
    return program.client.delete(f"{V1}{path}", headers={"Authorization": f"Bearer {program.text}", **headers})


def test_a_new_endpoint_is_answered_with_its_secret_which_no_other_answer_has(
    program: Program, buyer: BillingCustomer
) -> None:
    made = program.post(PATH, BODY, key=None)

    endpoint = WebhookEndpoint.objects.get()
    body = made.json()
    assert made.status_code == 201
    assert body.pop("secret") == secrets_of(endpoint=endpoint, now=timezone.now())[0]
    assert body == {
        "id": endpoint.public_id,
        "object": "webhook_endpoint",
        "customer": buyer.public_id,
        "url": URL,
        "description": "Books",
        "events": ["balance.low", "credits.granted"],
        "enabled": True,
        "disabled_reason": None,
        "failing_since": None,
        "created_at": body["created_at"],
    }
    assert program.get(f"{PATH}/{endpoint.public_id}").json() == body
    assert program.get(PATH).json()["data"] == [body]


def test_a_repeated_answer_has_no_secret_and_none_is_kept(program: Program) -> None:
    made = program.post(PATH, BODY)
    again = program.post(PATH, BODY)

    assert made.json()["secret"].startswith("whsec_")
    assert again["Idempotent-Replayed"] == "true"
    assert again.json() == {**made.json(), "secret": None}
    assert "whsec_" not in str(list(IdempotentAnswer.objects.values()))
    assert WebhookEndpoint.objects.count() == 1


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"url": "http://hooks.example.com/in"}, "url"),
        ({"url": "https://[::1]/"}, "url"),
        ({"url": 7}, "url"),
        ({"events": []}, "events"),
        ({"events": ["balance.hight"]}, "events"),
        ({"events": "balance.low"}, "events"),
        ({"event": "balance.low"}, "event"),
        ({"description": "x" * 201}, "description"),
    ],
)
def test_what_cannot_be_subscribed_is_refused(program: Program, change: dict[str, Any], field: str) -> None:
    problem = check_problem(program.post(PATH, {**BODY, **change}), status=400, code="invalid_request")

    assert problem["field"].startswith(field)
    assert not WebhookEndpoint.objects.exists()


def test_an_address_twice_and_one_too_many_are_refused(program: Program, buyer: BillingCustomer) -> None:
    program.post(PATH, BODY, key="a")
    check_problem(program.post(PATH, BODY, key="b"), status=409, code="webhook_endpoint_exists")

    for number in range(MAX_ENDPOINTS - 1):
        subscribe(buyer, f"{URL}{number}")
    one_more = program.post(PATH, {**BODY, "url": f"{URL}/more"}, key="c")
    check_problem(one_more, status=409, code="too_many_webhook_endpoints")


def test_a_key_needs_the_scope(buyer: BillingCustomer) -> None:
    reader, spender = make_program(buyer.user, "read"), make_program(buyer.user, "spend")
    endpoint = subscribe(buyer, URL).endpoint.public_id

    check_problem(reader.post(PATH, BODY), status=403, code="scope_missing")
    check_problem(delete(reader, f"{PATH}/{endpoint}"), status=403, code="scope_missing")
    check_problem(spender.get(PATH), status=403, code="scope_missing")
    assert reader.get(PATH).status_code == 200


def test_others_endpoints_do_not_exist(program: Program) -> None:
    for owner in (make_customer(), None):
        other = subscribe(owner, URL).endpoint.public_id

        for answer in (
            program.get(f"{PATH}/{other}"),
            program.get(f"{PATH}/{other}/deliveries"),
            delete(program, f"{PATH}/{other}"),
        ):
            check_problem(answer, status=404, code="webhook_endpoint_not_found")
    assert program.get(PATH).json()["data"] == []
    assert WebhookEndpoint.objects.count() == 2


def test_a_key_for_customers_speaks_of_the_installations_endpoints_or_of_the_customers_it_names(
    platform: Program,
) -> None:
    acme, _ = create_external_customer(external_id="acme", email=None)

    of_all = platform.post(PATH, BODY, key="a").json()
    of_acme = platform.post(PATH, BODY, key="b", Billing_Customer="acme").json()

    assert (of_all["customer"], of_acme["customer"]) == (None, acme.public_id)
    assert [row["id"] for row in platform.get(PATH).json()["data"]] == [of_all["id"]]
    named = platform.get(PATH, **{"Billing-Customer": "acme"}).json()["data"]
    assert [row["id"] for row in named] == [of_acme["id"]]
    delete(platform, f"{PATH}/{of_all['id']}")
    delete(platform, f"{PATH}/{of_acme['id']}", **{"Billing-Customer": "acme"})
    assert not WebhookEndpoint.objects.filter(deleted_at__isnull=True).exists()
    assert platform.get(PATH).json()["data"] == []
    acts = AuditEntry.objects.order_by("pk").values_list("action", "after__key")
    assert list(acts) == [(f"webhookendpoint.{verb}", platform.key.key_id) for verb in ("add", "delete")]
    written = str(list(AuditEntry.objects.values()))
    assert "hooks.example.com" in written
    assert URL not in written  # the rest of the address may be a secret


def test_deleting_answers_that_it_is_gone(program: Program, buyer: BillingCustomer) -> None:
    endpoint = subscribe(buyer, URL).endpoint.public_id

    gone = delete(program, f"{PATH}/{endpoint}")

    assert gone.json() == {"id": endpoint, "object": "webhook_endpoint", "deleted": True}
    check_problem(delete(program, f"{PATH}/{endpoint}"), status=404, code="webhook_endpoint_not_found")


def test_a_session_may_do_what_its_user_may(buyer: BillingCustomer) -> None:
    client = Client()
    assert buyer.user is not None
    client.force_login(buyer.user)

    made = client.post(f"{V1}{PATH}", BODY, content_type="application/json")

    assert made.status_code == 201
    assert WebhookEndpoint.objects.get().customer == buyer


def test_lists_are_paged(program: Program, buyer: BillingCustomer) -> None:
    ids = [subscribe(buyer, f"{URL}{number}").endpoint.public_id for number in range(3)]

    first = program.get(f"{PATH}?limit=2").json()
    second = program.get(f"{PATH}?limit=2&starting_after={first['data'][-1]['id']}").json()

    assert [row["id"] for row in first["data"] + second["data"]] == ids[::-1]
    assert (first["has_more"], second["has_more"]) == (True, False)
    check_problem(program.get(f"{PATH}?starting_after=whe_x"), status=400, code="invalid_request")


def test_deliveries_tell_what_came_of_them(program: Program, buyer: BillingCustomer) -> None:
    endpoint = subscribe(buyer, URL).endpoint
    first, second = message_for(endpoint), message_for(endpoint)
    for status, error in ((500, ""), (None, "It did not answer in time.")):
        WebhookAttempt.objects.create(
            delivery=first,
            attempted_at=timezone.now(),
            status=status,
            error=error,
            duration_ms=3,
            is_success=False,
        )
    path = f"{PATH}/{endpoint.public_id}/deliveries"

    rows = program.get(path).json()["data"]

    assert [row["message"] for row in rows] == [second.message_id, first.message_id]
    assert (rows[0]["state"], rows[0]["last_status"], rows[0]["last_error"]) == ("pending", None, None)
    assert (rows[1]["last_status"], rows[1]["last_error"]) == (None, "It did not answer in time.")
    page = program.get(f"{path}?limit=1&starting_after={rows[0]['id']}").json()
    assert (page["data"], page["has_more"]) == ([rows[1]], False)
    check_problem(program.get(f"{path}?starting_after=whd_x"), status=400, code="invalid_request")

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from allauth.account.models import EmailAddress
from allauth.account.signals import email_confirmed, user_signed_up
from allauth.core.context import request_context
from allauth.socialaccount.adapter import get_adapter
from allauth.socialaccount.helpers import complete_social_login
from django.contrib.auth.models import AnonymousUser
from django.contrib.messages.middleware import MessageMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.core import mail
from django.core.cache import cache
from django.http import HttpResponse
from django.test import Client, RequestFactory
from django.utils import timezone

from accounts.models import User
from billing.models import BillingCustomer, CreditBalance, LedgerEntry, SignupBonus
from billing.services.signup_bonus import grant_signup_bonus
from billing.tests.threads import at_once

HOME = "203.0.113.7"


@pytest.fixture(autouse=True)
def _a_bonus_of_500(settings: Any) -> None:
    settings.SIGNUP_BONUS_CREDITS = 500


def make_user(email: str) -> User:
    return User.objects.create_user(email)


def grant(user: User, *, email: str = "", address: str = HOME) -> LedgerEntry | None:
    return grant_signup_bonus(user=user, verified_email=email or user.email, client_address=address)


def posted(user: User) -> Decimal:
    balance: CreditBalance = CreditBalance.objects.get(customer__user=user)
    return Decimal(balance.posted)


@pytest.mark.django_db
def test_the_bonus_is_one_entry_of_its_kind() -> None:
    user = make_user("ada@example.com")

    entry = grant(user)

    assert entry is not None
    assert (entry.kind, entry.amount, entry.idempotency_key) == ("signup_bonus", Decimal(500), "bonus:signup")
    assert posted(user) == 500


@pytest.mark.django_db
def test_no_bonus_is_set(settings: Any) -> None:
    settings.SIGNUP_BONUS_CREDITS = 0

    assert grant(make_user("ada@example.com")) is None
    assert not SignupBonus.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize("spelling", ["ADA@example.com", "ada+two@example.com"])
def test_another_spelling_of_a_mailbox_gets_none(spelling: str) -> None:
    grant(make_user("ada@example.com"))

    assert grant(make_user("second@example.com"), email=spelling, address="198.51.100.1") is None


@pytest.mark.django_db
def test_a_mailbox_is_remembered_when_its_account_is_gone() -> None:
    first = make_user("ada@example.com")
    grant(first)
    first.delete()

    assert grant(make_user("ada@example.com"), address="198.51.100.1") is None
    bonus = SignupBonus.objects.get()
    assert re.fullmatch("[0-9a-f]{64}", bonus.address_hash)  # of the address nothing is kept but this


@pytest.mark.django_db
def test_a_customer_gets_one_whatever_is_verified_later() -> None:
    user = make_user("ada@example.com")
    grant(user)

    assert grant(user, email="other@example.com", address="198.51.100.1") is None
    assert posted(user) == 500


@pytest.mark.django_db
def test_a_network_has_three_a_day() -> None:
    near = [f"203.0.113.{host}" for host in range(1, 5)]

    granted = [grant(make_user(f"user{n}@example.com"), address=address) for n, address in enumerate(near)]

    assert [entry is not None for entry in granted] == [True, True, True, False]
    assert grant(make_user("far@example.com"), address="203.0.114.1") is not None
    with time_machine.travel(timezone.now() + timedelta(days=1), tick=True):
        assert grant(make_user("tomorrow@example.com"), address=near[0]) is not None


@pytest.mark.django_db
def test_an_old_secret_key_still_knows_its_mailboxes(settings: Any) -> None:
    grant(make_user("ada@example.com"))
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "a-new-secret-key", [settings.SECRET_KEY]

    assert grant(make_user("second@example.com"), email="ada@example.com", address="198.51.100.1") is None


@pytest.mark.django_db
def test_a_refusal_is_logged_without_the_address(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    grant(make_user("ada@example.com"))

    grant(make_user("second@example.com"), email="ada@example.com")

    logged = caplog.text + capsys.readouterr().out
    assert "signup_bonus_refused" in logged
    assert "ada@example.com" not in logged


@pytest.mark.django_db
def test_sign_up_makes_the_customer_and_the_bonus_waits() -> None:
    user = make_user("ada@example.com")

    user_signed_up.send(sender=User, request=RequestFactory().get("/"), user=user)

    assert BillingCustomer.objects.filter(user=user).exists()
    assert posted(user) == 0


@pytest.mark.django_db
def test_an_address_that_the_provider_vouches_for_brings_the_bonus_at_once() -> None:
    user = make_user("ada@example.com")
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)

    user_signed_up.send(sender=User, request=RequestFactory().get("/"), user=user)

    assert posted(user) == 500


@pytest.mark.django_db
@pytest.mark.parametrize(("vouches", "bonus"), [(True, 500), (False, 0)])
def test_google_brings_the_bonus_where_it_vouches_for_the_address(settings: Any, *, vouches: bool, bonus: int) -> None:
    settings.GOOGLE_CLIENT_ID = "google-client"
    settings.SOCIALACCOUNT_PROVIDERS = {"google": {"APPS": [{"client_id": "google-client", "secret": "a-secret"}]}}
    request = RequestFactory().post("/accounts/google/login/callback/")
    SessionMiddleware(lambda _: HttpResponse()).process_request(request)
    MessageMiddleware(lambda _: HttpResponse()).process_request(request)
    request.user = AnonymousUser()
    answer = {"sub": "4711", "email": "ada@example.com", "email_verified": vouches, "given_name": "Ada"}

    with request_context(request):
        login = get_adapter(request).get_provider(request, "google").sociallogin_from_response(request, answer)
        complete_social_login(request, login)

    user = User.objects.get(email="ada@example.com")
    assert posted(user) == bonus
    assert request.user.is_authenticated is vouches


@pytest.mark.django_db
def test_the_first_verified_address_brings_the_bonus_and_the_second_none() -> None:
    user, request = make_user("ada@example.com"), RequestFactory().get("/")
    first = EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    email_confirmed.send(sender=EmailAddress, request=request, email_address=first)
    second = EmailAddress.objects.create(user=user, email="other@example.com", verified=True)

    email_confirmed.send(sender=EmailAddress, request=request, email_address=second)
    email_confirmed.send(sender=EmailAddress, request=request, email_address=first)

    assert posted(user) == 500


@pytest.mark.django_db
def test_a_second_address_brings_none_even_where_the_first_was_refused(settings: Any) -> None:
    user, request = make_user("ada@example.com"), RequestFactory().get("/")
    settings.SIGNUP_BONUS_CREDITS = 0
    first = EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    email_confirmed.send(sender=EmailAddress, request=request, email_address=first)
    settings.SIGNUP_BONUS_CREDITS = 500
    second = EmailAddress.objects.create(user=user, email="other@example.com", verified=True)

    email_confirmed.send(sender=EmailAddress, request=request, email_address=second)

    assert not SignupBonus.objects.exists()


def sign_up(client: Client) -> str:
    """Sign up as a person does; gives the path of the link in the mail."""
    cache.clear()
    client.post("/accounts/signup/", {"email": "ada@example.com", "password1": "correct horse battery"})
    found = re.search(r"http://[^/\s]+(/accounts/confirm-email/\S+)", str(mail.outbox[-1].body))
    assert found is not None
    return found[1]


@pytest.mark.django_db
def test_the_link_in_the_mail_brings_the_bonus_once(client: Client) -> None:
    link = sign_up(client)
    user = User.objects.get()
    assert posted(user) == 0

    client.post(link)
    Client().post(link)

    assert posted(user) == 500


@pytest.mark.django_db
def test_when_the_bonus_fails_the_link_stays_good(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    link = sign_up(client)
    with monkeypatch.context() as broken:
        broken.setattr("billing.services.signup_bonus.post_entries", lambda **_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            client.post(link)
    assert not EmailAddress.objects.get().verified

    client.post(link)

    assert EmailAddress.objects.get().verified
    assert posted(User.objects.get()) == 500


@pytest.mark.django_db(transaction=True)
def test_two_verifications_at_once_give_one_bonus() -> None:
    user = make_user("ada@example.com")

    results = at_once(*[lambda: grant(user)] * 4)

    assert len([entry for entry in results if entry]) == 1
    assert posted(user) == 500


@pytest.mark.django_db(transaction=True)
def test_two_accounts_of_one_mailbox_at_once_give_one_bonus() -> None:
    users = [make_user(f"ada+{n}@example.com") for n in range(4)]

    results = at_once(*[lambda n=n, user=user: grant(user, address=f"198.51.{n}.1") for n, user in enumerate(users)])

    assert len([entry for entry in results if entry]) == 1


@pytest.mark.django_db(transaction=True)
def test_four_sign_ups_of_one_network_at_once_give_three_bonuses() -> None:
    users = [make_user(f"user{n}@example.com") for n in range(4)]

    results = at_once(*[lambda user=user: grant(user) for user in users])

    assert len([entry for entry in results if entry]) == 3
    assert SignupBonus.objects.count() == 3

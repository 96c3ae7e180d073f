"""A user's API keys: the list, and making, rotating and revoking one.

The secret of a new key is in the answer to the form that made it, and nowhere else: not in an address, the session or
a log. No cache keeps that answer, and loading it again makes no second key (`accounts.form_tokens`).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from allauth.account.decorators import reauthentication_required
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_http_methods, require_safe

from accounts.api_keys import (
    ROTATION_OVERLAP,
    KeyRefused,
    NewKey,
    TooManyKeys,
    issue_key,
    most_live_keys,
    revoke_key,
    rotate_key,
)
from accounts.audited import record_act
from accounts.form_tokens import new_form_token, take_form_token
from accounts.forms import NewKeyForm, RevokeKeyForm
from accounts.key_list import ListedKey, find_own_key, list_keys
from accounts.models import Scope, User

View = Callable[..., HttpResponseBase]


def own_page(view: View) -> View:
    """Give the view the logged-in user; strangers are sent to log in, and no cache keeps the page."""

    @wraps(view)
    def for_user(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not isinstance(request.user, User):
            raise TypeError("login_required let somebody in who is not a user")
        return view(request, request.user, *args, **kwargs)

    guarded: View = never_cache(login_required(for_user))
    return guarded


def who_proved_it(view: View) -> View:
    """Whoever makes keys has given the password (or second factor) within the last minutes."""
    guarded: View = login_required(reauthentication_required(view))
    return guarded


@require_safe
@own_page
def api_keys(request: HttpRequest, user: User) -> HttpResponseBase:
    """The live keys with what they may do and have spent, and those that have ended."""
    live, ended = list_keys(user=user, now=timezone.now())
    most = most_live_keys(user=user)
    context = {"live": live, "ended": ended, "most": most, "used": len(live), "is_full": len(live) >= most}
    return render(request, "accounts/api_keys.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@who_proved_it
@own_page
@sensitive_variables()
def new_api_key(request: HttpRequest, user: User) -> HttpResponseBase:
    """The form for a new key, and the answer that shows its secret once."""
    if request.method != "POST":
        return _show_form(request, NewKeyForm(user=user, initial={"form_token": new_form_token(request.session)}))
    form = NewKeyForm(request.POST, user=user)
    if not form.is_valid():
        return _show_form(request, form, status=400)
    try:
        with transaction.atomic():
            if not take_form_token(session=request.session, user=user, token=form.cleaned_data["form_token"]):
                return _sent_already(request)
            new = issue_key(
                user=user,
                name=form.cleaned_data["name"],
                scopes=form.cleaned_data["scopes"],
                monthly_limit=form.cleaned_data["monthly_limit"],
                expires_at=form.expires_at(now=timezone.now()),
            )
            _tell_audit_log(request, "add", new)
    except TooManyKeys as refusal:
        form.add_error(None, str(refusal))
        sent = request.POST.copy()
        sent["form_token"] = new_form_token(request.session)  # the first is spent; this page can be sent again
        form.data = sent
        return _show_form(request, form, status=400)
    return _show_secret(request, new)


@require_http_methods(["GET", "HEAD", "POST"])
@who_proved_it
@own_page
@sensitive_variables()
def rotate_api_key(request: HttpRequest, user: User, key: str) -> HttpResponseBase:
    """Ask before a key is rotated, then show its successor's secret once. The old key goes on for a day."""
    listed = _find_key(user, key)
    if request.method != "POST":
        context = {"listed": listed, "overlap": ROTATION_OVERLAP, "form_token": new_form_token(request.session)}
        return render(request, "accounts/api_key_rotate.html", context)
    try:
        with transaction.atomic():
            if not take_form_token(session=request.session, user=user, token=request.POST.get("form_token", "")):
                return _sent_already(request)
            new = rotate_key(key=listed.key, now=timezone.now(), actor=user)
            _tell_audit_log(request, "rotate", new)
    except (KeyRefused, TooManyKeys, PermissionError) as refusal:
        messages.error(request, str(refusal))
        return redirect("accounts:api_keys")
    listed.key.refresh_from_db(fields=["expires_at"])
    return _show_secret(request, new, replaced=listed)


@require_http_methods(["GET", "HEAD", "POST"])
@own_page
def revoke_api_key(request: HttpRequest, user: User, key: str) -> HttpResponseBase:
    """Ask for the key's name, then end it at once. No password is asked for: a leaked key should end without delay."""
    listed = _find_key(user, key)
    if not listed.is_live:
        messages.info(request, _("“%(name)s” has ended already.") % {"name": listed.key.name})
        return redirect("accounts:api_keys")
    form = RevokeKeyForm(request.POST if request.method == "POST" else None, key=listed.key)
    if form.is_valid():
        revoke_key(key=listed.key, now=timezone.now())
        messages.success(
            request, _("“%(name)s” is revoked. Requests with it are refused from now on.") % {"name": listed.key.name}
        )
        return redirect("accounts:api_keys")
    status = 400 if form.is_bound else 200
    return render(request, "accounts/api_key_revoke.html", {"listed": listed, "form": form}, status=status)


def _find_key(user: User, key_id: str) -> ListedKey:
    listed = find_own_key(user=user, key_id=key_id, now=timezone.now())
    if listed is None:
        raise Http404("There is no such key of this user.")
    return listed


def _show_form(request: HttpRequest, form: NewKeyForm, *, status: int = 200) -> HttpResponse:
    return render(request, "accounts/api_key_new.html", {"form": form}, status=status)


@sensitive_variables()
def _show_secret(request: HttpRequest, new: NewKey, *, replaced: ListedKey | None = None) -> HttpResponse:
    return render(request, "accounts/api_key_secret.html", {"key": new.key, "secret": new.text, "replaced": replaced})


def _tell_audit_log(request: HttpRequest, verb: str, new: NewKey) -> None:
    """A key that acts for any customer is an act of staff."""
    if new.key.has_scope(Scope.CUSTOMERS):
        record_act(
            request=request,
            action=f"apikey.{verb}",
            target=new.key,
            after={"key": new.key.key_id, "name": new.key.name, "scopes": new.key.scopes},
        )


def _sent_already(request: HttpRequest) -> HttpResponse:
    messages.info(
        request,
        _("This form was sent already, or is too old. A key is shown once: if you have lost yours, rotate it."),
    )
    return redirect("accounts:api_keys")

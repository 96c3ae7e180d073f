"""API keys, for staff: found by their beginning, revoked with a reason, made for a user; never edited."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, TypeVar

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Model, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables
from unfold.admin import ModelAdmin
from unfold.decorators import action, display

from accounts.api_keys import NewKey, TooManyKeys, issue_key, revoke_key
from accounts.audited import AuditedAdmin, record_act
from accounts.form_tokens import new_form_token, take_form_token
from accounts.key_admin_forms import KeyForm, RevokeForm
from accounts.key_search import keys_like
from accounts.models import ApiKey, User
from accounts.secretless_search import SecretlessSearch

MAY_MAKE, MAY_REVOKE = "accounts.add_apikey", "accounts.change_apikey"
_CONFIRM, _MAKE, _MADE = "admin/billing/confirm.html", "admin/accounts/make_key.html", "admin/accounts/key_made.html"


F = TypeVar("F", bound=Callable[..., Any])


def _page_action(description: str, *, url_path: str, permission: str) -> Callable[[F], F]:
    """Unfold's decorator, with types."""
    decorate: Callable[[F], F] = action(description=description, url_path=url_path, permissions=[permission])
    return decorate


def _labelled(description: str, *, label: Mapping[str, str]) -> Callable[[F], F]:
    """A column whose values have colours. Unfold's decorator, with types."""
    decorate: Callable[[F], F] = display(description=description, label=label)
    return decorate


@admin.register(ApiKey)
class ApiKeyAdmin(AuditedAdmin, SecretlessSearch, ModelAdmin):  # type: ignore[misc]
    """Keys, newest first. What is shown of a key is its public part; the secret is stored nowhere."""

    list_display = ("key_shown", "name", "user", "scopes_shown", "state_shown", "last_used_at", "created_at")
    list_filter = (
        ("revoked_at", admin.EmptyFieldListFilter),
        ("expires_at", admin.DateFieldListFilter),
        ("last_used_at", admin.DateFieldListFilter),
    )
    list_select_related = ("user",)
    search_fields = ("name",)
    search_help_text = "Beginning of the key, name of the key, or e-mail address"
    ordering = ("-pk",)
    show_full_result_count = False
    list_per_page = 50
    actions = None
    actions_list = ("make",)
    actions_detail = ("revoke",)
    hidden_fields = frozenset({"secret_hash"})
    fields: ClassVar[Any] = (
        "key_shown",
        "name",
        "user",
        "scopes_shown",
        "state_shown",
        "monthly_limit",
        "expires_at",
        "revoked_at",
        "last_used_at",
        "replaces",
        "created_by",
        "created_at",
    )
    readonly_fields = fields

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """The right to view alone: who may revoke keys or make them does not see them for that."""
        return bool(request.user.has_perm("accounts.view_apikey"))

    def has_revoke_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return bool(request.user.has_perm(MAY_REVOKE))

    def has_make_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return bool(request.user.has_perm(MAY_MAKE))

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[ApiKey], search_term: str
    ) -> tuple[QuerySet[ApiKey], bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        named = Q(name__icontains=term) | Q(user__email__icontains=term) | Q(pk__in=keys_like(term).values("pk"))
        return queryset.filter(named), False

    def get_actions_detail(self, request: HttpRequest, object_id: int) -> list[Any]:
        """A key that has ended cannot be revoked."""
        key = self.get_object(request, str(object_id))
        offered: list[Any] = super().get_actions_detail(request, object_id)
        return [] if key is not None and key.revoked_at else offered

    @_page_action("Revoke", url_path="revoke", permission="revoke")
    def revoke(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask why, then end the key at once."""
        key: ApiKey | None = self.get_object(request, object_id)
        if key is None:
            raise Http404
        if not self.has_view_permission(request, key):
            raise PermissionDenied
        form, back = RevokeForm(request.POST or None), reverse("admin:accounts_apikey_change", args=[key.pk])
        if not form.is_valid():
            return TemplateResponse(
                request,
                _CONFIRM,
                {
                    **self.admin_site.each_context(request),
                    "title": "Revoke",
                    "subtitle": str(key),
                    "opts": self.opts,
                    "question": "Programs that use this key are refused from now on. It cannot be undone.",
                    "button": "Revoke",
                    "back": back,
                    "form": form,
                },
            )
        with transaction.atomic():
            locked = ApiKey.objects.select_for_update(of=("self",)).get(pk=key.pk)
            was = locked.revoked_at
            revoke_key(key=locked, now=timezone.now())
            if was is None:
                self.audit_change(
                    request,
                    locked,
                    before={"revoked_at": None},
                    after={"revoked_at": _iso(locked.revoked_at)},
                    verb="revoke",
                    reason=form.cleaned_data["reason"],
                )
        if was is None:
            messages.success(request, "The key is revoked.")
        else:
            messages.info(request, "It was revoked already; nothing has changed.")
        return redirect(back)

    @_page_action("Make a key", url_path="make", permission="make")
    def make(self, request: HttpRequest) -> HttpResponse:
        """The form; after it the key, shown this once on the answer itself and kept nowhere."""
        if not self.has_view_permission(request) or not isinstance(request.user, User):
            raise PermissionDenied
        form = KeyForm(request.POST or None, actor=request.user)
        if form.is_valid():
            try:
                new = _issue(request, form, actor=request.user)
            except (TooManyKeys, PermissionError) as refusal:
                form.add_error(None, str(refusal))
            else:
                if new is not None:
                    return self._show(request, new)
                messages.info(request, "This form was sent before, and its key was shown then. Nothing was made now.")
                return redirect("admin:accounts_apikey_changelist")
        form.initial["token"] = new_form_token(request.session)
        context = {
            **self.admin_site.each_context(request),
            "title": "Make a key",
            "subtitle": "For a program that speaks for a user",
            "opts": self.opts,
            "form": form,
            "back": reverse("admin:accounts_apikey_changelist"),
        }
        return TemplateResponse(request, _MAKE, context)

    @sensitive_variables("new")
    def _show(self, request: HttpRequest, new: NewKey) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": "The key is made",
            "subtitle": str(new.key),
            "opts": self.opts,
            "text": new.text,
            "address": reverse("admin:accounts_apikey_change", args=[new.key.pk]),
        }
        page = TemplateResponse(request, _MADE, context)
        page["Cache-Control"] = "no-store"
        return page

    @admin.display(description="Key", ordering="key_id")
    def key_shown(self, key: ApiKey) -> str:
        return f"{key.prefix}_{key.key_id}…{key.last_four}"

    @admin.display(description="Scopes")
    def scopes_shown(self, key: ApiKey) -> str:
        return ", ".join(key.scopes)

    @_labelled("State", label={"Live": "success", "Revoked": "danger", "Ended": "primary"})
    def state_shown(self, key: ApiKey) -> str:
        if key.revoked_at:
            return "Revoked"
        has_ended = key.expires_at is not None and key.expires_at <= timezone.now()
        return "Ended" if has_ended or key.user is None else "Live"


@sensitive_variables()
def _issue(request: HttpRequest, form: KeyForm, *, actor: User) -> NewKey | None:
    """Make the key and write down who made it for whom, both or neither; None where the form was sent before."""
    given = form.cleaned_data
    if form.user is None:
        raise RuntimeError("A valid form names a user.")
    with transaction.atomic():
        if not take_form_token(session=request.session, user=actor, token=given["token"]):
            return None
        new = issue_key(
            user=form.user,
            name=given["name"],
            scopes=given["scopes"],
            monthly_limit=given["monthly_limit"],
            expires_at=given["expires_at"],
            created_by=actor,
        )
        record_act(
            request=request,
            action="apikey.add",
            target=new.key,
            after={
                "key": new.key.key_id,
                "user": form.user.email,
                "name": new.key.name,
                "scopes": new.key.scopes,
                "monthly_limit": str(new.key.monthly_limit) if new.key.monthly_limit else None,
                "expires_at": _iso(new.key.expires_at),
            },
            reason=given["reason"],
        )
    return new


def _iso(moment: Any) -> str | None:
    return moment.isoformat() if moment else None

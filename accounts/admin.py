"""People, for staff: users, their addresses, logins and second factors. Staff come in by the product's own door."""

from __future__ import annotations

from typing import Any, ClassVar

from allauth.account.admin import EmailAddressAdmin as AllauthEmailAddressAdmin
from allauth.account.decorators import secure_admin_login
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount, SocialApp, SocialToken
from allauth.usersessions.models import UserSession
from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.db import transaction
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from unfold.admin import ModelAdmin, TabularInline
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from accounts.audited import AuditedAdmin, take_snapshot
from accounts.key_admin import ApiKeyAdmin
from accounts.models import User

__all__ = ["ApiKeyAdmin"]

admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]
admin.site.index_title = "Overview"


def change_password(request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
    """Staff change their password where everyone does: it asks for the old one and sends a notice."""
    return redirect("account_change_password")


admin.site.password_change = change_password  # type: ignore[method-assign,assignment]

# Google's client id and secret are settings, and its tokens are not kept: pages for them would only hold secrets.
for replaced in (Group, EmailAddress, Authenticator, SocialAccount, UserSession, SocialApp, SocialToken):
    if admin.site.is_registered(replaced):
        admin.site.unregister(replaced)


class EmailAddressInline(TabularInline):  # type: ignore[misc]
    """The user's addresses; they are added and verified on their own page."""

    model = EmailAddress
    extra = 0
    fields = ("email", "primary", "verified")
    readonly_fields = fields
    show_change_link = True

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


@admin.register(User)
class UserAdmin(AuditedAdmin, DjangoUserAdmin, ModelAdmin):  # type: ignore[misc,type-arg]
    """Users, found by address or name."""

    form, add_form, change_password_form = UserChangeForm, UserCreationForm, AdminPasswordChangeForm
    list_display = ("email", "first_name", "last_name", "is_active", "is_staff", "date_joined", "last_login")
    list_filter = ("is_active", "is_staff", "is_superuser", "groups")
    search_fields = ("email", "first_name", "last_name", "emailaddress__email")
    search_help_text = "E-mail address or name"
    ordering = ("-date_joined",)
    readonly_fields = ("last_login", "date_joined")
    show_full_result_count = False
    inlines = (EmailAddressInline,)
    fieldsets = (
        (None, {"fields": ("email", "password", "first_name", "last_name")}),
        ("Permissions", {"fields": ("is_active", "is_staff", "is_superuser", "groups", "user_permissions")}),
        ("Dates", {"fields": ("last_login", "date_joined")}),
    )
    add_fieldsets = ((None, {"classes": ("wide",), "fields": ("email", "password1", "password2")}),)

    def get_inlines(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.inlines if obj else ()

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Rights are given by superusers alone: who may edit users must not make themselves one."""
        fields = tuple(super().get_readonly_fields(request, obj))
        rights = ("is_staff", "is_superuser", "groups", "user_permissions")
        return fields if request.user.is_superuser else (*fields, *rights)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Staff accounts, their passwords above all, are changed by superusers alone."""
        if obj is not None and obj.is_staff and not request.user.is_superuser:
            return False
        return bool(super().has_change_permission(request, obj))

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        if obj is not None and obj.is_staff and not request.user.is_superuser:
            return False
        return bool(super().has_delete_permission(request, obj))

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:
        """Django's page; its form saves past `save_model`, so the change is recorded here."""
        with transaction.atomic():
            before = self._stored(request, id)
            page: HttpResponse = super().user_change_password(request, id, form_url)
            after = self._stored(request, id)
            if before != after:
                self.audit_change(request, self.get_object(request, id), before=before, after=after, verb="change")
        return page

    def _stored(self, request: HttpRequest, object_id: str) -> dict[str, Any]:
        user = self.get_object(request, object_id)
        return {"password": user.password} if user else {}


@admin.register(Group)
class GroupAdmin(AuditedAdmin, DjangoGroupAdmin, ModelAdmin):  # type: ignore[misc]
    """Sets of rights for staff."""


@admin.register(EmailAddress)
class EmailAddressAdmin(AuditedAdmin, ModelAdmin, AllauthEmailAddressAdmin):  # type: ignore[misc]
    """All addresses, with allauth's action that marks them as verified."""

    list_display = ("email", "user", "primary", "verified")
    list_select_related = ("user",)
    show_full_result_count = False

    @admin.action(description="Mark as verified", permissions=["change"])
    def make_verified(self, request: HttpRequest, queryset: QuerySet[EmailAddress]) -> None:
        """Allauth's action, which asks for no right by itself and would be open to all who may look."""
        with transaction.atomic():
            before = {address.pk: take_snapshot(address) for address in queryset.filter(verified=False)}
            super().make_verified(request, queryset)
            for address in EmailAddress.objects.filter(pk__in=before, verified=True):
                now = take_snapshot(address)
                self.audit_change(request, address, before=before[address.pk], after=now, verb="verify")


class NothingToEditAdmin(AuditedAdmin, ModelAdmin):  # type: ignore[misc]
    """Seen and, where a right allows it, removed; never added or changed."""

    list_select_related = ("user",)
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


@admin.register(Authenticator)
class AuthenticatorAdmin(NothingToEditAdmin):
    """Second factors. Secrets are not shown; one that was lost can be removed, once the person is identified."""

    list_display = ("user", "type", "created_at", "last_used_at")
    list_filter = ("type",)
    search_fields = ("user__email",)
    fields = ("user", "type", "created_at", "last_used_at")
    hidden_fields = frozenset({"data"})


@admin.register(SocialAccount)
class SocialAccountAdmin(NothingToEditAdmin):
    """Logins through Google."""

    list_display = ("user", "provider", "uid", "last_login", "date_joined")
    search_fields = ("user__email", "uid")
    fields: ClassVar[Any] = ("user", "provider", "uid", "last_login", "date_joined")
    hidden_fields = frozenset({"extra_data"})


@admin.register(UserSession)
class UserSessionAdmin(NothingToEditAdmin):
    """Where people are logged in."""

    list_display = ("user", "ip", "user_agent", "created_at", "last_seen_at")
    search_fields = ("user__email", "ip")
    fields = ("user", "ip", "user_agent", "created_at", "last_seen_at")

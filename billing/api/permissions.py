"""What the caller may do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_framework.exceptions import PermissionDenied
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from accounts.models import ApiKey, Scope, User
from accounts.second_factor import lacks_second_factor
from billing.errors import NotPermitted, ScopeMissing

if TYPE_CHECKING:  # it reads the settings, which name this module
    from rest_framework.views import APIView


class SecondFactorRequired(PermissionDenied):
    """Staff without a second factor, where one is asked for."""

    default_code = "second_factor_required"
    default_detail = "Staff log in with a second factor. Set one up at /accounts/2fa/ first."


class KeyMay(BasePermission):
    """A logged-in user, or an API key with the scope that the view needs for this method (`scopes`)."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        if not isinstance(request.user, User) or not request.user.is_active:
            return False
        scopes = getattr(view, "scopes", None)
        if scopes is None:
            raise TypeError(f"{type(view).__name__} names no scopes.")
        scope = scopes.get("GET" if request.method == "HEAD" else request.method)
        if isinstance(request.auth, ApiKey) and scope is not None and not request.auth.has_scope(scope):
            raise ScopeMissing(scope=scope)
        return True


class StaffOnly(BasePermission):
    """Staff with the right that the view names (`permission`), and with a second factor where one is asked for.

    A key of theirs is let in where staff made it to act for any customer: the rights are still its user's.
    """

    message = "Only staff may use this address."

    def has_permission(self, request: Request, view: APIView) -> bool:
        user = request.user
        if not isinstance(user, User) or not user.is_active or not user.is_staff:
            return False
        if lacks_second_factor(user):
            raise SecondFactorRequired
        if isinstance(request.auth, ApiKey) and not request.auth.has_scope(Scope.CUSTOMERS):
            raise ScopeMissing(scope=Scope.CUSTOMERS)
        permission = getattr(view, "permission", "")
        if not permission:
            raise TypeError(f"{type(view).__name__} names no permission.")
        if not user.has_perm(permission):
            raise NotPermitted(permission=permission)
        return True

"""What the caller may do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_framework.exceptions import PermissionDenied
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from accounts.models import User
from accounts.second_factor import lacks_second_factor
from billing.errors import NotPermitted

if TYPE_CHECKING:  # it reads the settings, which name this module
    from rest_framework.views import APIView


class SecondFactorRequired(PermissionDenied):
    """Staff without a second factor, where one is asked for."""

    default_code = "second_factor_required"
    default_detail = "Staff log in with a second factor. Set one up at /accounts/2fa/ first."


class StaffOnly(BasePermission):
    """Staff with the right that the view names (`permission`), and with a second factor where one is asked for."""

    message = "Only staff may use this address."

    def has_permission(self, request: Request, view: APIView) -> bool:
        user = request.user
        if not isinstance(user, User) or not user.is_active or not user.is_staff:
            return False
        if lacks_second_factor(user):
            raise SecondFactorRequired
        permission = getattr(view, "permission", "")
        if not permission:
            raise TypeError(f"{type(view).__name__} names no permission.")
        if not user.has_perm(permission):
            raise NotPermitted(permission=permission)
        return True

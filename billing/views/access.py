"""Who may see a customer's pages: its own user, logged in."""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec

from django.contrib.auth.decorators import login_required
from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponseBase
from django.views.decorators.cache import never_cache

from accounts.models import User
from billing.models import BillingCustomer
from billing.services.customers import ensure_customer

Arguments = ParamSpec("Arguments")
CustomerView = Callable[Concatenate[HttpRequest, BillingCustomer, Arguments], HttpResponseBase]
View = Callable[Concatenate[HttpRequest, Arguments], HttpResponseBase]


def customer_page(view: CustomerView[Arguments]) -> View[Arguments]:
    """Give the view the logged-in user's own customer; strangers are sent to log in, and no cache keeps the page."""

    @wraps(view)
    def for_customer(request: HttpRequest, /, *args: Arguments.args, **kwargs: Arguments.kwargs) -> HttpResponseBase:
        if not isinstance(request.user, User):
            raise TypeError("login_required let somebody in who is not a user")
        if any("\0" in value for values in request.GET.lists() for value in values[1]):
            raise BadRequest("PostgreSQL has no text with a NUL in it, so no address with one names anything.")
        return view(request, ensure_customer(user=request.user), *args, **kwargs)

    guarded: View[Arguments] = never_cache(login_required(for_customer))
    return guarded

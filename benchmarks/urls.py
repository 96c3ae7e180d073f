"""The product's addresses, and the bare view that debits are held against."""

from django.urls import include, path
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from billing.api.authentication import KeyAuthentication
from billing.api.callers import caller_customer
from billing.models import CreditBalance


class BareView(APIView):
    """What the least endpoint does: find the key's owner, read the body, ask one query, answer."""

    authentication_classes = [KeyAuthentication]
    permission_classes = []

    def post(self, request: Request) -> Response:
        balance = CreditBalance.objects.get(pk=caller_customer(request).pk)
        return Response({"object": "balance", "posted": str(balance.posted), "asked": request.data})


urlpatterns = [path("bare", BareView.as_view()), path("", include("config.urls"))]

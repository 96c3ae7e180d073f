"""`GET /api/v1/credit-packs`: what can be bought."""

from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import Scope
from billing.api.base import CallerView, read_query
from billing.api.lists import ListQuery, answer_list
from billing.api.shapes import pack_shape
from billing.errors import InvalidRequest
from billing.models import CreditPack
from billing.selectors.selling import sells_to
from billing.selectors.shop import packs_for_sale


class CreditPacks(CallerView):
    """The packs for sale, in the order of the shop; none where nothing is sold."""

    scopes = {"GET": Scope.READ}

    def get(self, request: Request) -> Response:
        query = read_query(request, ListQuery)
        packs = packs_for_sale() if sells_to(self.acting_for()) else []
        if "starting_after" in query:
            packs = packs[_place_after(query["starting_after"], packs) :]
        limit = query["limit"]
        rows = [pack_shape(pack) for pack in packs[:limit]]
        return answer_list(request, rows=rows, has_more=len(packs) > limit)


def _place_after(slug: str, packs: list[CreditPack]) -> int:
    for place, pack in enumerate(packs, start=1):
        if pack.slug == slug:
            return place
    raise InvalidRequest(
        field="starting_after", fault="no pack for sale is called so", remedy="Send the slug of a pack of this list."
    )

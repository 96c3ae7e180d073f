"""Exports of what a list shows: CSV of any size, or a workbook. A right of its own; every export is written down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from tempfile import TemporaryFile
from typing import Any, ClassVar

from django.contrib import messages
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.http import FileResponse, Http404, HttpRequest, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone

from accounts.key_search import without_secrets
from accounts.models import User
from accounts.network import client_address
from billing.admin.base import list_address
from billing.errors import InvalidRequest
from billing.selectors.export import stream_csv
from billing.selectors.export_sheets import Sheet
from billing.selectors.export_xlsx import write_xlsx
from billing.services.audit import record_audit

XLSX_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_FORMATS = {"csv": "CSV", "xlsx": "Excel"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportLink:
    """One way to take the rows of a list along."""

    label: str
    address: str


class ExportsRows:
    """For a list: links to its rows as they are filtered, in the columns of `export_sheets`."""

    export_sheets: ClassVar[Sequence[Sheet]] = ()
    list_before_template: ClassVar[str] = "admin/billing/export_links.html"

    # What the admin that this is mixed into brings.
    model: Any
    admin_site: Any

    def has_export_permission(self, request: HttpRequest) -> bool:
        """Whether the member of staff may take rows along: the list must be open to them, too."""
        may_view: bool = self.has_view_permission(request)  # type: ignore[attr-defined]
        return may_view and request.user.has_perm("billing.export_rows")

    def get_urls(self) -> list[URLPattern]:
        own = path(
            "export/<slug:name>.<slug:kind>",
            self.admin_site.admin_view(self.export_view),
            name=f"{self.model._meta.app_label}_{self.model._meta.model_name}_export",
        )
        return [own, *super().get_urls()]  # type: ignore[misc]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        links = self._links(request) if self.has_export_permission(request) else []
        return super().changelist_view(request, {"export_links": links, **(extra_context or {})})  # type: ignore[misc]

    def export_view(self, request: HttpRequest, name: str, kind: str) -> HttpResponseBase:
        """The rows that the list shows with the same query, on all its pages."""
        if not self.has_export_permission(request):
            raise PermissionDenied
        sheet = next((each for each in self.export_sheets if each.name == name), None)
        if sheet is None or kind not in _FORMATS:
            raise Http404
        try:
            listed = self.get_changelist_instance(request).queryset  # type: ignore[attr-defined]
        except IncorrectLookupParameters as error:
            raise Http404 from error
        rows = sheet.prepared(listed)
        return self._as_csv(request, sheet, rows) if kind == "csv" else self._as_xlsx(request, sheet, rows)

    def _links(self, request: HttpRequest) -> list[ExportLink]:
        query = f"?{request.GET.urlencode()}" if request.GET else ""
        name = f"admin:{self.model._meta.app_label}_{self.model._meta.model_name}_export"
        return [
            ExportLink(
                label=f"{sheet.name.capitalize()}, {label}", address=reverse(name, args=[sheet.name, kind]) + query
            )
            for sheet in self.export_sheets
            for kind, label in _FORMATS.items()
        ]

    def _as_csv(self, request: HttpRequest, sheet: Sheet, rows: QuerySet[Any]) -> HttpResponseBase:
        _write_down(request, sheet, "csv")
        answer = StreamingHttpResponse(stream_csv(sheet=sheet, rows=rows), content_type="text/csv; charset=utf-8")
        answer["Content-Disposition"] = f'attachment; filename="{_file_name(sheet, "csv")}"'
        return answer

    def _as_xlsx(self, request: HttpRequest, sheet: Sheet, rows: QuerySet[Any]) -> HttpResponseBase:
        target = TemporaryFile()  # noqa: SIM115  # the answer closes it when it was sent
        try:
            write_xlsx(sheet=sheet, rows=rows, target=target)
        except InvalidRequest as refusal:
            target.close()
            messages.error(request, f"{refusal.fault[0].upper()}{refusal.fault[1:]}. {refusal.remedy}")
            return redirect(list_address(self.model, dict(request.GET.items())))
        _write_down(request, sheet, "xlsx")
        target.seek(0)
        return FileResponse(target, as_attachment=True, filename=_file_name(sheet, "xlsx"), content_type=XLSX_TYPE)


def _write_down(request: HttpRequest, sheet: Sheet, kind: str) -> None:
    """An export leaves the product, so the log says who took which rows."""
    actor = request.user if isinstance(request.user, User) else None
    with transaction.atomic():
        record_audit(
            actor=actor,
            action=f"{sheet.name}.export",
            after={"format": kind, "filter": without_secrets(request.GET.urlencode())},
            address=client_address(request),
        )


def _file_name(sheet: Sheet, kind: str) -> str:
    return f"{sheet.name}-{timezone.now():%Y%m%d-%H%M%S}.{kind}"

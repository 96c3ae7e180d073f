"""Rows as a workbook (XLSX): bounded, because a workbook is written whole before its first byte can be sent."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import IO, Any, Final

from django.db.models import QuerySet
from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

from billing import conf
from billing.errors import InvalidRequest
from billing.selectors.export import iterate_rows
from billing.selectors.export_cells import Cell, safe_cell
from billing.selectors.export_sheets import Sheet

EXACT_DIGITS: Final = 15  # what a spreadsheet keeps of a number; more would be rounded without a word
_UNREADABLE: Final = "\ufffd"


def write_xlsx(*, sheet: Sheet, rows: QuerySet[Any], target: IO[bytes]) -> int:
    """Write these rows of a sheet to `target` and say how many they are.

    Times are dates in UTC. Numbers are written digit by digit; one of more than 15 digits is a text, to stay exact.

    Raises:
        InvalidRequest: there are more than EXPORT_XLSX_MAX_ROWS.
    """
    most = conf.export_xlsx_max_rows()
    if rows.order_by()[: most + 1].count() > most:
        raise InvalidRequest(
            field="format",
            fault=f"more than {most:,} rows do not fit into XLSX",
            remedy="Take CSV, which has no limit, or narrow the filter.",
        )
    workbook = Workbook(write_only=True)
    page = workbook.create_sheet(sheet.name.capitalize())
    page.freeze_panes = "A2"
    page.append(sheet.columns)
    count = 0
    for row in iterate_rows(sheet=sheet, rows=rows):
        page.append([_cell(page, cell) for cell in sheet.cells(row)])
        count += 1
    workbook.save(target)
    return count


def _cell(page: Any, value: Cell) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).replace(tzinfo=None, microsecond=0)
    if isinstance(value, int | Decimal):
        return _number(page, Decimal(value))
    return _text(page, ILLEGAL_CHARACTERS_RE.sub(_UNREADABLE, str(safe_cell(value))))


def _number(page: Any, value: Decimal) -> Any:
    """A number with the digits that it has: the library itself would print it by way of a float."""
    digits = f"{value:f}"
    if len(value.normalize().as_tuple().digits) > EXACT_DIGITS:
        return _text(page, digits)  # ours, so a minus in front is no formula and gets no apostrophe
    cell = WriteOnlyCell(page)
    cell._value, cell.data_type = digits, "n"
    if "." in digits:
        cell.number_format = f"0.{'0' * len(digits.partition('.')[2])}"
    return cell


def _text(page: Any, text: str) -> Any:
    """A text that stays one, also where the library would take it for a formula or an error."""
    cell = WriteOnlyCell(page)
    cell._value, cell.data_type = text, "s"
    return cell

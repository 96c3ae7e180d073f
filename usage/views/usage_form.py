"""What the address of the usage page says: period, grouping and what it is narrowed to."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

from django import forms
from django.http import QueryDict
from django.utils.formats import date_format
from django.utils.translation import gettext_lazy as _

from accounts.models import ApiKey
from usage.selectors.usage_filter import NO_KEY, UsageFilter
from usage.selectors.usage_sums import BY_DAY, BY_KEY, BY_MODEL

DAYS: Final = {"7": 7, "30": 30, "90": 90}
DEFAULT_PERIOD: Final = "30"
_MONTHS_OFFERED: Final = 12


class UsageForm(forms.Form):
    """The usage page's filter. Days and months are in UTC; an address without a period means thirty days."""

    period = forms.ChoiceField(label=_("Period"), required=False)
    key = forms.ChoiceField(label=_("API key"), required=False)
    outcome = forms.ChoiceField(
        label=_("Calls"),
        required=False,
        choices=[("", _("All")), ("charged", _("Charged")), ("not_charged", _("Not charged"))],
    )
    model = forms.CharField(required=False, max_length=120, widget=forms.HiddenInput)
    by = forms.ChoiceField(
        required=False,
        widget=forms.HiddenInput,
        choices=[(BY_DAY, _("By day")), (BY_MODEL, _("By model")), (BY_KEY, _("By key"))],
    )

    def __init__(self, query: QueryDict, *, keys: list[ApiKey], now: datetime) -> None:
        super().__init__({"period": DEFAULT_PERIOD, **query.dict()})
        self.today = now.astimezone(UTC).date()
        self._offer("period", [*_day_choices(), *_month_choices(self.today)])
        names = [(key.key_id, f"{key.name} (…{key.last_four})") for key in keys]
        self._offer("key", [("", _("All")), *names, (NO_KEY, _("Without a key"))])

    def _offer(self, name: str, choices: list[tuple[str, Any]]) -> None:
        field = self.fields[name]
        if isinstance(field, forms.ChoiceField):
            field.choices = choices

    @property
    def by_chosen(self) -> str:
        return self.cleaned_data.get("by") or BY_DAY

    @property
    def period_chosen(self) -> str:
        return self.cleaned_data.get("period") or DEFAULT_PERIOD

    @property
    def query(self) -> dict[str, str]:
        """The parameters of this page's address, without those that say what is meant anyway."""
        chosen = {name: str(value) for name, value in self.cleaned_data.items() if value}
        if chosen.get("period") == DEFAULT_PERIOD:
            del chosen["period"]
        if chosen.get("by") == BY_DAY:
            del chosen["by"]
        return chosen

    def usage_filter(self, *, customer_id: int) -> UsageFilter:
        """The usage that a valid form means."""
        first, end = self._days()
        return UsageFilter(
            customer_id=customer_id,
            since=datetime.combine(first, time.min, UTC),
            until=datetime.combine(end, time.min, UTC),
            what=self.cleaned_data.get("model", ""),
            key_id=self.cleaned_data.get("key", ""),
            outcome=self.cleaned_data.get("outcome", ""),
        )

    def _days(self) -> tuple[date, date]:
        """The first day, and the one after the last."""
        period = self.period_chosen
        if period in DAYS:
            end = self.today + timedelta(days=1)
            return end - timedelta(days=DAYS[period]), end
        first = date.fromisoformat(f"{period}-01")
        return first, _next_month(first)


def _day_choices() -> list[tuple[str, Any]]:
    return [("7", _("Last 7 days")), ("30", _("Last 30 days")), ("90", _("Last 90 days"))]


def _month_choices(today: date) -> list[tuple[str, Any]]:
    months, first = [], today.replace(day=1)
    for _number in range(_MONTHS_OFFERED):
        months.append((f"{first:%Y-%m}", date_format(first, "F Y")))
        first = (first - timedelta(days=1)).replace(day=1)
    return months


def _next_month(first: date) -> date:
    return (first + timedelta(days=31)).replace(day=1)

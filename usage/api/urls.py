"""The addresses of the API below `/api/v1/` that are about usage."""

from django.urls import URLPattern, path

from usage.api.quotes import Quotes
from usage.api.summaries import Summaries, Summary
from usage.api.usage_events import OneUsageEvent, UsageEvents

urlpatterns: list[URLPattern] = [
    path("summaries", Summaries.as_view(), name="summaries"),
    path("quotes", Quotes.as_view(), name="quotes"),
    path("usage-events", UsageEvents.as_view(), name="usage_events"),
    path("usage-events/<slug:event>", OneUsageEvent.as_view(), name="usage_event"),
    path("summaries/<slug:summary>", Summary.as_view(), name="summary"),
]

"""The pages of usage."""

from django.urls import URLPattern, path

from usage.views.summaries import preview, retry, summaries, summary, summary_state
from usage.views.usage import usage, usage_call, usage_export, usage_of_entry, usage_top

app_name = "usage"
urlpatterns: list[URLPattern] = [
    path("billing/usage/", usage, name="usage"),
    path("billing/usage/export.csv", usage_export, name="export"),
    path("billing/usage/top/", usage_top, name="top"),
    path("billing/usage/calls/<slug:call>/", usage_call, name="call"),
    path("billing/usage/entries/<int:sequence>/", usage_of_entry, name="of_entry"),
    path("usage/summaries/", summaries, name="summaries"),
    path("usage/summaries/preview/", preview, name="summaries_preview"),
    path("usage/summaries/<slug:public_id>/", summary, name="summary"),
    path("usage/summaries/<slug:public_id>/retry/", retry, name="summary_retry"),
    path("usage/summaries/<slug:public_id>/state/", summary_state, name="summary_state"),
]

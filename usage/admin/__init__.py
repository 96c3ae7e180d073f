"""The pages of staff for usage.

usage_events.py    what was used and charged (read-only)      commit_summaries.py  jobs that summarise (read-only)
corrections.py     what was charged wrong, put right          customer_panels.py   usage on a customer's page
correction_page.py, correction_forms.py                       a new correction, after its preview
dashboard.py       the figures on the first page
"""

from usage.admin import commit_summaries, corrections, customer_panels, dashboard, usage_events

__all__ = ["commit_summaries", "corrections", "customer_panels", "dashboard", "usage_events"]

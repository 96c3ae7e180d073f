"""Celery tasks: thin doors. What is due stands in a table; the sweeper finds whatever no message came for."""

from celery import shared_task

from usage.services.summaries import RUN_SUMMARY
from usage.services.summary_runs import run_due_summaries, run_summary


@shared_task(name=RUN_SUMMARY, soft_time_limit=240, time_limit=270)
def run_one_summary(public_id: str) -> bool:
    """Do a summary that was just asked for."""
    return run_summary(public_id=public_id)


@shared_task(name="usage.run_due_summaries")
def run_summaries() -> int:
    """Wake workers for summaries that are due, for when the sweeper is down."""
    return run_due_summaries()

from datetime import timedelta

import pytest
from django.utils import timezone

from billing.models import IdempotentAnswer
from billing.services.idempotent_answers import purge_old_answers
from billing.tasks import purge_answers

pytestmark = pytest.mark.django_db
NOW = timezone.now()


def keep(key: str, *, age: timedelta) -> None:
    IdempotentAnswer.objects.create(
        scope="customer:1", key=key, request_hash="0" * 64, status=201, body="{}", created_at=NOW - age
    )


def kept() -> set[str]:
    return set(IdempotentAnswer.objects.values_list("key", flat=True))


def test_answers_of_more_than_a_week_are_deleted() -> None:
    keep("old", age=timedelta(days=7, seconds=1))
    keep("on the edge", age=timedelta(days=7))
    keep("new", age=timedelta(0))

    assert purge_old_answers(now=NOW) == 1

    assert kept() == {"on the edge", "new"}


def test_all_batches_are_deleted() -> None:
    for number in range(5):
        keep(str(number), age=timedelta(days=8))

    assert purge_old_answers(now=NOW, batch=2) == 5

    assert kept() == set()


def test_task_deletes_what_is_old_now() -> None:
    keep("old", age=timedelta(days=8))

    assert purge_answers() == 1

"""A process of its own that makes one metered call: `python -m usage.tests.metering_worker USER MODE`.

Mode `hang` never finishes; mode `late` finishes when its hold has expired and another attempt holds for the same work.
"""

import sys
import time

import django


def main(user_id: str, mode: str) -> None:
    """Open the call, and wait inside it."""
    django.setup()
    from accounts.models import User
    from billing.models import CreditHold
    from usage.metering import metered
    from usage.tests.factories import MODEL

    with metered(User.objects.get(pk=user_id), MODEL, "x" * 24, idempotency_key="job-1") as call:
        call.deliver("abcd")
        while mode == "hang" or CreditHold.objects.count() == 1:
            time.sleep(0.05)
        call.report({"prompt_tokens": 10, "completion_tokens": 5})


if __name__ == "__main__":
    main(*sys.argv[1:])

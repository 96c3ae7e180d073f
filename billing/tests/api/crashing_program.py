"""A process that posts to the API and dies between the effect and its answer: `crashing_program.py KEY PATH BODY`."""

import json
import os
import signal
import sys
from typing import Any, NoReturn

import django


def main(text: str, path: str, body: str) -> None:
    django.setup()

    from django.test import Client

    from billing.api import idempotency

    def die(**_: Any) -> NoReturn:
        os.kill(os.getpid(), signal.SIGKILL)
        raise SystemExit

    idempotency._keep = die
    headers = {"Authorization": f"Bearer {text}", "Idempotency-Key": "one"}
    Client().post(path, json.loads(body), content_type="application/json", headers=headers)


if __name__ == "__main__":
    sys.path.insert(0, os.getcwd())
    main(*sys.argv[1:])

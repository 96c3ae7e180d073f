"""A process that has loaded the project and forks a sweeper for each who asks at its socket: `sweeper_nursery SOCKET`.

Who asks sends a line of JSON, gets the number of the new process, and sends another line to let it begin. The process
says `done` at its end; one that is killed says nothing.
"""

import json
import os
import signal
import socket
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import django
import time_machine


def serve(path: str) -> None:
    from billing import conf, tasks  # noqa: F401  # what is imported here needs not be imported by each child
    from billing.management.commands import sweep  # noqa: F401

    conf.further_chores()  # imports them
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the children
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path + ".new")
        listener.listen(8)
        Path(path + ".new").rename(path)
        while True:
            asker, _ = listener.accept()
            if os.fork() == 0:
                listener.close()
                live(asker)
                os._exit(0)
            asker.close()


def live(asker: socket.socket) -> None:
    from django.conf import settings

    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    lines = asker.makefile()
    order: dict[str, Any] = json.loads(lines.readline())
    asker.sendall(f"{os.getpid()}\n".encode())
    lines.readline()
    settings.STRIPE_AUTOMATIC_TAX = order["is_taxed"]
    with time_machine.travel(datetime.fromtimestamp(order["now"], UTC), tick=True):
        work(order)
    asker.sendall(b"done\n")


def work(order: dict[str, Any]) -> None:
    from django.core.management import call_command

    from billing.tasks import top_up

    if order["task_of"]:
        top_up(order["task_of"])
    elif order["interval"]:
        call_command("sweep", interval=order["interval"])
    else:
        call_command("sweep", once=True)


if __name__ == "__main__":
    django.setup()
    serve(sys.argv[1])

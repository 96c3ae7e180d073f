"""``python -m sandbox.stripe``: the stand-in as a process of its own."""

import argparse
import logging
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from sandbox.stripe.refusals import Refused
from sandbox.stripe.server import PortTaken, SandboxServer


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT. Returns the exit code."""
    options = _read_options(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    logging.getLogger("sandbox.stripe").setLevel(logging.DEBUG if options.verbose else logging.WARNING)
    server = SandboxServer(
        host=options.host,
        port=options.port,
        state=options.state,
        mail_dir=options.mail_dir,
        settle_after_seconds=options.settle_after,
    )
    try:
        server.start()
    except (PortTaken, Refused) as error:
        sys.stderr.write(f"The Stripe sandbox does not start: {error}\n")
        return 2
    if options.webhook_url:
        server.control.add_endpoint(options.webhook_url, secrets=options.webhook_secret)
    sys.stdout.write(f"Stripe sandbox: {server.base_url}/sandbox/\n")
    sys.stdout.flush()
    _wait_for_end()
    server.stop()
    return 0


def _read_options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m sandbox.stripe", description="A local stand-in for Stripe.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8010)
    parser.add_argument("--state", default="var/sandbox.sqlite3", help="the file that keeps all objects, or :memory:")
    parser.add_argument("--mail-dir", type=Path, help="where the product writes its mail as .eml files")
    parser.add_argument("--webhook-url", help="where events are delivered")
    parser.add_argument(
        "--webhook-secret", action="append", default=[], help="signs deliveries; may be given twice while rotating"
    )
    parser.add_argument(
        "--settle-after", type=float, default=8.0, help="seconds until a bank debit ends by itself (default 8)"
    )
    parser.add_argument("--verbose", action="store_true", help="a line for each request")
    options = parser.parse_args(arguments)
    if options.webhook_url and not options.webhook_secret:
        parser.error("--webhook-url needs --webhook-secret, the one in STRIPE_WEBHOOK_SECRET")
    return options


def _wait_for_end() -> None:
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    ended.wait()


if __name__ == "__main__":
    sys.exit(main())

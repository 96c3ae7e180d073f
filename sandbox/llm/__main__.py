"""``python -m sandbox.llm``: the stand-in as a process of its own."""

import argparse
import signal
import sys
import threading
from collections.abc import Sequence

from sandbox.llm.server import LlmServer


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.llm", description="A local stand-in for OpenAI's API.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8020, help="0: any that is free; the first line says which")
    parser.add_argument("--key", default="", help="the one API key that is taken; without it any is")
    options = parser.parse_args(arguments)
    try:
        server = LlmServer(host=options.host, port=options.port, key=options.key)
    except OSError as error:
        sys.stderr.write(f"The stand-in for language models does not start: {error}\n")
        return 2
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    sys.stdout.write(f"Language models: {server.base_url}\n")
    sys.stdout.flush()
    ended.wait()
    server.shutdown()
    server.server_close()
    return 0


if __name__ == "__main__":
    sys.exit(main())

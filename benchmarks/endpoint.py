"""What our OpenAI-compatible endpoint adds to the time of a call: the same upstream, asked directly and through us."""

import random
from dataclasses import dataclass
from decimal import Decimal

from benchmarks import servers
from benchmarks.api import make_keys, serving
from benchmarks.load import Client, Load, run_clients
from sandbox.llm.testing import KEY, running_llm

CLIENTS = 8
SECONDS = 8.0
ROUNDS = 3
WARMING_CLIENTS, WARMING_SECONDS = 32, 12.0  # each thread of the server prepares its statements for itself
ANSWER_MILLISECONDS = (200, 400)  # short answers of a fast model; at once, the clients would only fill the processors
MODEL = "gpt-5-mini"


@dataclass(frozen=True)
class EndpointSpeed:
    """The same calls of `CLIENTS` clients, directly and through us, in the round with the median overhead.

    Times are without the provider's own.
    """

    direct: Load
    through_us: Load

    @property
    def p50_overhead_milliseconds(self) -> float:
        return self.through_us.p50_milliseconds - self.direct.p50_milliseconds

    @property
    def p99_overhead_milliseconds(self) -> float:
        return self.through_us.p99_milliseconds - self.direct.p99_milliseconds


def measure() -> EndpointSpeed:
    """Alternate direct calls with calls through us."""
    from billing.services.prices import ModelTerms, set_price

    set_price(
        terms=ModelTerms(
            model=MODEL,
            provider="openai",
            input_usd_per_1k=Decimal("0.00025"),
            cached_input_usd_per_1k=Decimal("0.000025"),
            output_usd_per_1k=Decimal("0.002"),
            markup_percent=Decimal(20),
        )
    )
    port, keys = servers.free_port(), make_keys(WARMING_CLIENTS)
    with running_llm() as llm, serving(port, LLM_BASE_URL=llm.base_url, LLM_API_KEY=KEY):
        upstream = int(llm.base_url.rpartition(":")[2].partition("/")[0])
        run_clients(port=port, keys=keys, seconds=WARMING_SECONDS, operation=_chat_at_once)
        rounds = [
            EndpointSpeed(
                direct=run_clients(port=upstream, keys=[KEY] * CLIENTS, seconds=SECONDS, operation=_chat),
                through_us=run_clients(port=port, keys=keys[:CLIENTS], seconds=SECONDS, operation=_chat),
            )
            for _ in range(ROUNDS)
        ]
    return sorted(rounds, key=lambda speed: speed.p99_overhead_milliseconds)[ROUNDS // 2]


def _chat(client: Client, number: int, turn: int) -> float:
    """One call; the provider's own time does not count. It differs, or the clients would come in step like nobody's."""
    milliseconds = random.Random(f"{number} {turn}").randint(*ANSWER_MILLISECONDS)
    _ask(client, f"[wait {milliseconds} ms] [write 20 tokens] Round {turn} of client {number}.")
    return milliseconds / 1000


def _chat_at_once(client: Client, number: int, turn: int) -> None:
    _ask(client, f"[write 20 tokens] Round {turn} of client {number}.")


def _ask(client: Client, prompt: str) -> None:
    body = {"model": MODEL, "max_tokens": 50, "messages": [{"role": "user", "content": prompt}]}
    client.post("/v1/chat/completions", body, status=200)

"""Two hundred streams at once on credits for fifty: nobody is served beyond what the last one may cost."""

import asyncio
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import httpx2
import pytest
from openai import APIStatusError, AsyncOpenAI, OpenAI

from accounts.models import User
from billing.kinds import HoldState
from billing.models import CreditHold
from sandbox.llm.testing import RunningLlm
from usage.models import UsageEvent
from usage.tests.factories import balance_of, make_key, make_price, make_user
from usage.tests.openai.asking import MODEL, cost, say, tokens_of

CALLS, COVERED = 200, 50
KEYS = 4  # each may have fifty calls open
RESERVE, LIMIT = 100, 300  # output tokens that are expected, and that an answer may have
PATIENCE_SECONDS = 120


@dataclass
class Outcome:
    """What came of all the calls."""

    statuses: list[int] = field(default_factory=list)
    started: int = 0
    receipts: list[dict[str, str]] = field(default_factory=list)


async def ask_all(*, base_url: str, keys: list[str], text: str, llm: RunningLlm) -> Outcome:
    """All calls at once; the provider goes on when each has been accepted or refused."""
    outcome = Outcome()

    async def ask(client: AsyncOpenAI) -> None:
        try:
            stream: Any = await client.chat.completions.create(
                model=MODEL, messages=say(text), stream=True, max_tokens=LIMIT
            )
        except APIStatusError as refused:
            outcome.statuses.append(refused.status_code)
            return
        outcome.started += 1
        pieces = [piece async for piece in stream]
        outcome.receipts.append(pieces[-1].prepaid)

    async def open_gate_when_all_are_decided() -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while outcome.started + len(outcome.statuses) < CALLS:
                await asyncio.sleep(0.05)
        await asyncio.to_thread(llm.open_gate)

    limits = httpx2.Limits(max_connections=CALLS)
    async with httpx2.AsyncClient(limits=limits, timeout=PATIENCE_SECONDS) as connections:
        clients = [AsyncOpenAI(base_url=base_url, api_key=key, max_retries=0, http_client=connections) for key in keys]
        asking = [ask(clients[number % KEYS]) for number in range(CALLS)]
        await asyncio.gather(*asking, open_gate_when_all_are_decided())
    return outcome


@pytest.mark.parametrize("answer_tokens", [80, LIMIT], ids=["within-the-estimate", "at-max-tokens"])
def test_two_hundred_streams_on_credits_for_fifty(start_web: Any, llm: RunningLlm, answer_tokens: int) -> None:
    make_price(MODEL, output_reserve_tokens=RESERVE)
    text = f"[write {answer_tokens} tokens] [gate after 1 tokens]"
    estimate = cost(input=tokens_of(text), output=RESERVE)
    worst = cost(input=tokens_of(text), output=LIMIT)
    actual = cost(input=tokens_of(text), output=answer_tokens)
    balance = (COVERED - 1) * estimate + worst  # the last call that fits is held for the worst case
    user = make_user(credits=balance)
    keys = [make_key(user).text for _ in range(KEYS)]

    with start_web(threads=COVERED + 30) as web:
        outcome = asyncio.run(ask_all(base_url=web.base_url, keys=keys, text=text, llm=llm))
        next_status = ask_once_more(web.base_url, keys[0], text) if answer_tokens == LIMIT else None

    assert outcome.started == COVERED
    assert outcome.statuses == [402] * (CALLS - COVERED)
    assert [Decimal(receipt["charged"]) for receipt in outcome.receipts] == [actual] * COVERED
    held = sorted(Decimal(receipt["held"]) for receipt in outcome.receipts)
    assert held == [estimate] * (COVERED - 1) + [worst]
    assert not CreditHold.objects.exclude(state=HoldState.SETTLED).exists()
    assert UsageEvent.objects.count() == COVERED
    after = balance_of(user)
    assert after.held == 0
    if answer_tokens == LIMIT:
        assert after.posted == -sum(actual - each for each in held)
        assert after.posted < 0
        assert next_status == 402
    else:
        assert after.posted == balance - COVERED * actual
        assert after.posted >= 0


def ask_once_more(base_url: str, key: str, text: str) -> int:
    """The status of another call."""
    with OpenAI(base_url=base_url, api_key=key, max_retries=0) as client, pytest.raises(APIStatusError) as raised:
        client.chat.completions.create(model=MODEL, messages=say(text), max_tokens=1)
    return raised.value.status_code


def test_a_buyer_is_not_in_the_way_of_another(start_web: Any, buyer: User, llm: RunningLlm) -> None:
    """A stream that waits holds neither a lock nor the server: another customer, and the same one, go on."""
    with (
        start_web() as web,
        OpenAI(base_url=web.base_url, api_key=make_key(buyer).text, max_retries=0) as client,
    ):
        waiting = client.chat.completions.create(
            model=MODEL, messages=say("[write 3 tokens] [gate after 1 tokens]"), stream=True
        )
        next(waiting)
        answer = client.chat.completions.create(model=MODEL, messages=say("Hello"))
        llm.open_gate()
        list(waiting)

    assert answer.choices[0].message.content == "You said: Hello"
    assert UsageEvent.objects.count() == 2

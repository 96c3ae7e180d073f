"""The model's answer to a diff, with what it used."""

from dataclasses import dataclass
from typing import Final

from billing.models import PricingConfig
from billing.usage_cost import Tokens
from usage.llm.chat import complete_chat
from usage.llm.failures import UpstreamDown, UpstreamFailure, UpstreamRefused, UpstreamTimeout
from usage.models import Basis
from usage.services.reported_usage import tokens_of_usage
from usage.services.summary_prompt import prompt_messages
from usage.services.tokens import count_message_tokens, count_tokens

MAX_SUMMARY: Final = 20_000  # characters; a summary that is longer is none
_BUSY: Final = (408, 409, 429)
_WORDS: Final = {
    UpstreamDown: "The language model cannot be reached.",
    UpstreamTimeout: "The language model did not answer in time.",
    UpstreamRefused: "The language model refused the change.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Summarised:
    """A summary, the tokens that it took, and who counted them."""

    text: str
    tokens: Tokens
    basis: Basis


class SummaryFailed(Exception):
    """There is no summary, so nothing is charged. The text is for people; `is_passing`: another try may do better."""

    def __init__(self, words: str, *, code: str, is_passing: bool) -> None:
        self.code, self.is_passing = code, is_passing
        super().__init__(words)


def ask_for_summary(*, model: str, price: PricingConfig, title: str, diff: str, max_tokens: int) -> Summarised:
    """Ask once, for an answer of at most `max_tokens`.

    Raises:
        SummaryFailed: the model gave none.
    """
    messages = prompt_messages(title=title, diff=diff)
    limit = "max_completion_tokens" if price.provider == "openai" else "max_tokens"  # its newer models refuse the other
    try:
        answer = complete_chat(model=model, messages=messages, provider=price.provider, **{limit: max_tokens})
    except UpstreamFailure as failure:
        raise _failed(failure) from failure
    text = answer.text.strip()[:MAX_SUMMARY]
    if not text:
        raise SummaryFailed("The language model said nothing about this change.", code="empty_answer", is_passing=False)
    reported = tokens_of_usage(answer.usage)
    counted = Tokens(input=count_message_tokens(messages, model=model), output=count_tokens(text, model=model))
    return Summarised(
        text=text,
        tokens=counted if reported is None else reported,
        basis=Basis.DELIVERED if reported is None else Basis.REPORTED,
    )


def _failed(failure: UpstreamFailure) -> SummaryFailed:
    is_refused = isinstance(failure, UpstreamRefused) and failure.status not in _BUSY
    return SummaryFailed(
        _WORDS.get(type(failure), "The language model failed."),
        code="upstream_refused" if is_refused else "upstream_failed",
        is_passing=not is_refused,
    )

"""Where a model is called, and how an answer is asked for."""

import pytest
from pytest_django import Settings

from sandbox.llm.testing import KEY, RunningLlm
from usage.llm.chat import complete_chat
from usage.llm.failures import UpstreamDown, UpstreamRefused, UpstreamTimeout
from usage.llm.providers import find_provider
from usage.services.reported_usage import tokens_of_usage
from usage.tests.openai.asking import say, tokens_of


@pytest.fixture(autouse=True)
def two_providers(settings: Settings) -> None:
    settings.LLM_BASE_URL, settings.LLM_API_KEY = "https://usual.example.com/v1/", "key-of-the-usual"
    settings.LLM_API_PROVIDERS = ["own=https://own.example.com/v1/|key-of-its-own", "open = http://10.0.0.1:9000/v1"]


@pytest.mark.parametrize(
    ("name", "base_url", "key"),
    [
        ("own", "https://own.example.com/v1", "key-of-its-own"),
        ("open", "http://10.0.0.1:9000/v1", ""),
        ("openai", "https://usual.example.com/v1", "key-of-the-usual"),
        ("", "https://usual.example.com/v1", "key-of-the-usual"),
    ],
)
def test_provider_has_its_own_address_or_the_usual_one(name: str, base_url: str, key: str) -> None:
    provider = find_provider(name)

    assert (provider.base_url, provider.api_key) == (base_url, key)


def test_key_is_not_in_the_text_of_a_provider() -> None:
    assert "key-of" not in repr(find_provider("own")) + str(find_provider())


def test_provider_without_an_address_is_none(settings: Settings) -> None:
    settings.LLM_BASE_URL = ""

    with pytest.raises(UpstreamDown, match="LLM_BASE_URL"):
        find_provider("openai")
    assert find_provider("open").base_url == "http://10.0.0.1:9000/v1"


@pytest.fixture
def stand_in(llm: RunningLlm, settings: Settings) -> RunningLlm:
    settings.LLM_BASE_URL, settings.LLM_API_KEY = llm.base_url, KEY
    return llm


def test_answer_comes_with_what_the_provider_reports(stand_in: RunningLlm) -> None:
    text = "[write 5 tokens]"

    answer = complete_chat(model="m", messages=say(text), max_tokens=3, temperature=0)

    assert (answer.text, answer.finish_reason) == ("w00 w01 w02 ", "length")
    tokens = tokens_of_usage(answer.usage)
    assert tokens is not None
    assert (tokens.input, tokens.output) == (tokens_of(text), 3)
    assert stand_in.calls()[0]["body"]["temperature"] == 0


def test_answer_without_a_report_has_none(stand_in: RunningLlm) -> None:
    assert complete_chat(model="m", messages=say("[report nothing]")).usage is None


@pytest.mark.parametrize(
    ("wish", "failure", "reason"),
    [
        ("[fail 503]", UpstreamDown, "answered_503"),
        ("[fail 404]", UpstreamDown, "answered_404"),
        ("[fail 402]", UpstreamDown, "answered_402"),
        ("[break after 0 tokens]", UpstreamDown, "broken_off"),
        ("[fail 422]", UpstreamRefused, "refused_422"),
        ("[hang]", UpstreamTimeout, "timeout"),
    ],
)
def test_what_goes_wrong_is_told_apart(
    stand_in: RunningLlm, settings: Settings, wish: str, failure: type[Exception], reason: str
) -> None:
    settings.LLM_TIMEOUT_SECONDS = 1

    with pytest.raises(failure) as raised:
        complete_chat(model="m", messages=say(wish))

    assert getattr(raised.value, "reason", "") == reason


def test_nothing_is_asked_twice(stand_in: RunningLlm) -> None:
    with pytest.raises(UpstreamDown):
        complete_chat(model="m", messages=say("[fail 500]"))

    assert len(stand_in.calls()) == 1


def test_wrong_key_is_ours_to_mend_and_is_logged_without_it(
    stand_in: RunningLlm, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.LLM_API_KEY = "sk-of-yesterday"

    with pytest.raises(UpstreamDown):
        complete_chat(model="m", messages=say("Hello"))

    assert "llm_provider_refuses_us" in caplog.text
    assert "sk-of-yesterday" not in caplog.text

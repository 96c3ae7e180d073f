"""Usage's settings, typed. The only module of usage (beside its system checks) that reads django.conf.settings."""

from collections.abc import Callable
from datetime import timedelta

from django.conf import settings
from django.utils.module_loading import import_string


def llm_base_url() -> str:
    """The OpenAI-compatible API that answers model calls, without a trailing slash."""
    return str(settings.LLM_BASE_URL).rstrip("/")


def llm_api_key() -> str:
    return str(settings.LLM_API_KEY)


def llm_providers() -> dict[str, tuple[str, str]]:
    """Address and key of each provider that has its own, from `name=https://host/v1|key`."""
    providers = {}
    for text in settings.LLM_API_PROVIDERS:
        name, _, place = text.partition("=")
        base_url, _, key = place.partition("|")
        providers[name.strip()] = (base_url.strip().rstrip("/"), key.strip())
    return providers


def llm_timeout_seconds() -> float:
    """How long a provider may be silent: before it answers, and between two pieces of a stream."""
    return float(settings.LLM_TIMEOUT_SECONDS)


def tokenizer() -> Callable[[str, str], int] | None:
    """A function of a text and a model's name that counts tokens, where the installation names one."""
    return import_string(settings.TOKENIZER) if settings.TOKENIZER else None


def late_event_window() -> timedelta:
    """How old a usage event may be when it is recorded."""
    return timedelta(days=settings.LATE_USAGE_DAYS)


def open_streams_per_key() -> int:
    """How many calls one API key may have open at a time; 0 is no limit."""
    return int(settings.API_OPEN_STREAMS)


def summary_model() -> str:
    """The model that writes commit summaries: for the estimate and for the charge."""
    return str(settings.SUMMARY_MODEL)


def summary_repositories() -> tuple[str, ...]:
    """The repositories that may be summarised: local paths and https addresses."""
    return tuple(settings.SUMMARY_REPOSITORIES)

"""Where a model is called: the address and the key of its provider."""

from dataclasses import dataclass, field

from usage import conf
from usage.llm.failures import UpstreamDown


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """An OpenAI-compatible API. The key is left out of the text of the object, which may end up in a log."""

    name: str
    base_url: str  # without a trailing slash
    api_key: str = field(default="", repr=False)


def find_provider(name: str = "") -> Provider:
    """The provider that a price names: of `LLM_API_PROVIDERS`, and for all that are not there, of `LLM_BASE_URL`.

    Raises:
        UpstreamDown: no address was given for it.
    """
    named = conf.llm_providers().get(name)
    if named is not None:
        return Provider(name=name, base_url=named[0], api_key=named[1])
    if not conf.llm_base_url():
        raise UpstreamDown("not_configured", f"LLM_BASE_URL is not set, and LLM_API_PROVIDERS has no {name!r}.")
    return Provider(name=name, base_url=conf.llm_base_url(), api_key=conf.llm_api_key())

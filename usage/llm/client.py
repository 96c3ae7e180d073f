"""Requests to a provider. Connections are pooled by process; nothing is asked twice, because an answer costs money.

What goes out is built from nothing but the body and the provider's own key: no header or cookie of our caller's.
"""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, Final

import httpx2
import structlog

from usage import conf
from usage.llm.failures import UpstreamDown, UpstreamFailure, UpstreamRefused, UpstreamTimeout
from usage.llm.providers import Provider
from usage.llm.sse import EventTooLong, read_events, split_lines

CONNECT_SECONDS: Final = 5.0
MAX_CONNECTIONS: Final = 512  # more than the threads of a process: nobody waits for a connection
MAX_IDLE_CONNECTIONS: Final = 64
MAX_REFUSAL_BYTES: Final = 64 * 1024
# Refusals of us, not of the request: our key, our account, an address that is not there. They are not the caller's.
_OUR_FAULTS: Final = frozenset({401, 402, 403, 404, 405, 407})
log = structlog.get_logger(__name__)

_clients: dict[int, httpx2.Client] = {}


def post_json(*, provider: Provider, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """The provider's answer to a request, such as one to `/chat/completions`.

    Raises:
        UpstreamRefused: the request cannot be carried out.
        UpstreamDown, UpstreamTimeout: there is no answer.
    """
    with _sending(provider=provider, path=path, body=body) as response:
        with _telling_failures(provider):
            response.read()
        try:
            answer = response.json()
        except ValueError as error:
            raise UpstreamDown("malformed_answer", "The answer is not JSON.") from error
    if not isinstance(answer, dict):
        raise UpstreamDown("malformed_answer", "The answer is no JSON object.")
    return answer


@contextmanager
def open_stream(*, provider: Provider, path: str, body: Mapping[str, Any]) -> Iterator[Iterator[str]]:
    """The data of the answer's events, as they come; leaving the block ends the connection.

    Raises:
        UpstreamRefused: the request cannot be carried out.
        UpstreamDown, UpstreamTimeout: there is no answer, or it breaks off: then while the events are read.
    """
    with _sending(provider=provider, path=path, body=body) as response:
        yield _events(provider=provider, response=response)


def _events(*, provider: Provider, response: httpx2.Response) -> Iterator[str]:
    with _telling_failures(provider):
        try:
            yield from read_events(split_lines(response.iter_bytes()))
        except EventTooLong as error:
            raise UpstreamDown("malformed_answer", str(error)) from error


@contextmanager
def _sending(*, provider: Provider, path: str, body: Mapping[str, Any]) -> Iterator[httpx2.Response]:
    """An answer of status 200 whose body is still to be read."""
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    if body.get("stream"):
        headers |= {"Accept": "text/event-stream", "Accept-Encoding": "identity"}  # nothing gathers pieces to pack them
    if provider.api_key:
        headers["Authorization"] = f"Bearer {provider.api_key}"
    content = json.dumps(body).encode()
    client = _client()
    with _telling_failures(provider):
        request = client.build_request(
            "POST", provider.base_url + path, content=content, headers=headers, timeout=_timeout()
        )
        response = client.send(request, stream=True)
    try:
        if response.status_code != 200:
            raise _failure(provider=provider, response=response)
        yield response
    finally:
        response.close()


def _failure(*, provider: Provider, response: httpx2.Response) -> UpstreamFailure:
    status = response.status_code
    body = _refusal(provider, response) if 400 <= status < 500 else None
    if status in _OUR_FAULTS and not _is_about_the_model(status, body):
        log.error("llm_provider_refuses_us", provider=provider.name, status=status)
    elif 400 <= status < 500:
        return UpstreamRefused(status=status, body=body, retry_after=response.headers.get("Retry-After", ""))
    return UpstreamDown(f"answered_{status}", f"The provider answered {status}.")


def _is_about_the_model(status: int, body: Any) -> bool:
    """Whether a 404 says that the provider has no such model, rather than that our address is wrong."""
    error = body.get("error") if isinstance(body, dict) else None
    return status == 404 and isinstance(error, dict) and error.get("code") == "model_not_found"


def _refusal(provider: Provider, response: httpx2.Response) -> Any:
    """The body of a refusal, as far as it can be read."""
    taken = b""
    with _telling_failures(provider):
        for part in response.iter_bytes():
            taken += part
            if len(taken) > MAX_REFUSAL_BYTES:
                return None
    try:
        return json.loads(taken)
    except ValueError:
        return None


@contextmanager
def _telling_failures(provider: Provider) -> Iterator[None]:
    """Failures of the connection in our words: theirs may name hosts, and the caller is to see none."""
    try:
        yield
    except httpx2.TimeoutException as error:
        log.warning("llm_timeout", provider=provider.name, kind=type(error).__name__)
        if isinstance(error, httpx2.ConnectTimeout):
            raise UpstreamDown("unreachable", "The provider could not be reached.") from error
        raise UpstreamTimeout("timeout", "The provider did not answer in time.") from error
    except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError) as error:
        log.warning("llm_connection_failed", provider=provider.name, kind=type(error).__name__)
        is_broken_off = isinstance(error, httpx2.ReadError | httpx2.RemoteProtocolError | httpx2.DecodingError)
        raise UpstreamDown("broken_off" if is_broken_off else "unreachable", "The connection failed.") from error


def _timeout() -> httpx2.Timeout:
    """Reading waits for the next piece, not for the whole: a stream may go on as long as it says something."""
    return httpx2.Timeout(conf.llm_timeout_seconds(), connect=CONNECT_SECONDS, pool=CONNECT_SECONDS)


def _client() -> httpx2.Client:
    """This process's pool. A fork must not share connections with its parent, so the process's id is looked at."""
    process = os.getpid()
    if process not in _clients:
        _clients[process] = httpx2.Client(
            limits=httpx2.Limits(max_connections=MAX_CONNECTIONS, max_keepalive_connections=MAX_IDLE_CONNECTIONS),
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),  # one customer's must not reach another's
            follow_redirects=False,
            headers={"User-Agent": "prepaid"},
        )
    return _clients[process]

"""Canaries: what must never be seen in a log, planted wherever code could put it."""

import json
import logging
import logging.config
from collections.abc import Callable, Iterator
from io import StringIO

import pytest
import structlog

from config.logs import logging_config
from config.redaction import redact_text

CANARIES = (
    "sk_test_51Canary0000000001",
    "sk_live_51Canary0000000002",
    "rk_live_51Canary0000000003",
    "pk_live_51Canary0000000004",
    "whsec_Canary0000000005",
    "ppd_live_Canary00000000000006",
    "canary.7@example.com",
    "canary%408.example.com",
    "cs_test_a1_secret_Canary9",
    "pi_3Abc_secret_Canary10",
    "4242424242424242",
    "4000 0025 0000 3155",
    "378282246310005",
)
WRAPPED = (  # text around the secret makes it one
    ("Authorization: Bearer {}", "canary-token-11"),
    ("Authorization: Basic {}", "Y2FuYXJ5OjEy"),
    ("'Cookie': 'sessionid={}; theme=dark'", "canary13"),
    ("Set-Cookie: __Host-sessionid={}", "canary14"),
    ("password={}", "canary-15"),
    ('{{"client_secret": "{}"}}', "canary16"),
    ("postgresql://prepaid:{}@db.internal:5432/prepaid", "canary17"),
    ("GET /accounts/confirm-email/{}/", "MQ:1canary:18"),
    ("GET /accounts/password/reset/key/{}/", "1-canary19"),
    ("Stripe-Signature: t=1,v1={}", "canary20"),
    ("GET /billing/redeem/?code={}", "CANA-RY21-0000-0000"),
    ("GET /billing/redeem/?source=mail&code={}&page=2", "CANA+RY22%200000"),
    ("GET /accounts/login/?next=/billing/redeem/%3Fcode%3D{}%26page%3D2", "CANA-RY23-0000-0000"),
    ("GET /accounts/login/?next=%2Fbilling%2Fredeem%2F%253Fcode%253D{}", "CANA-RY24-0000-0000"),
    ("POST /billing/unsubscribe/{}/", "eyJjYW5hcnki:25:x-y_z"),
    ("GET /accounts/login/?next=%2Fbilling%2Funsubscribe%2F{}%2F", "canary26"),
    ("GET /accounts/login/?next=%2Fbilling%2Funsubscribe%2Fabc%3Alow%3A{}%2F", "canary27"),
)
FIELDS = ("password", "authorization", "HTTP_COOKIE", "client_secret", "api_key", "access_token", "email")


@pytest.fixture(params=["console", "json"])
def written(request: pytest.FixtureRequest) -> Iterator[Callable[[], str]]:
    """What the configured handler writes, in both formats."""
    root, level = logging.getLogger(), logging.getLogger().level
    formatter = logging_config(request.param)["formatters"]["structured"]
    stream = StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(**{k: v for k, v in formatter.items() if k != "()"}))
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    yield stream.getvalue
    root.removeHandler(handler)
    root.setLevel(level)


def all_secrets() -> list[tuple[str, str]]:
    """Each text that may be logged, with the part of it that may not be seen."""
    return [(canary, canary) for canary in CANARIES] + [(text.format(secret), secret) for text, secret in WRAPPED]


@pytest.mark.parametrize(("text", "secret"), all_secrets())
def test_canary_is_not_seen_in_events_fields_arguments_or_exceptions(
    written: Callable[[], str], text: str, secret: str
) -> None:
    log, plain = structlog.get_logger("canary"), logging.getLogger("canary.plain")

    log.info(f"event {text}", nested={"list": [text, {"deep": text}]}, other=ValueError(text))
    plain.warning("argument %s", text)
    try:
        raise RuntimeError(f"failed with {text}")
    except RuntimeError:
        log.exception("structlog_failed")
        plain.exception("plain failed")

    assert secret not in written()
    assert written().count("[redacted]") >= 5


@pytest.mark.parametrize("field", FIELDS)
def test_field_of_a_secret_name_is_not_seen_whatever_it_holds(written: Callable[[], str], field: str) -> None:
    structlog.get_logger("canary").info("event", **{field: "innocent-looking"}, nested={field: ["innocent-looking"]})

    assert "innocent-looking" not in written()


@pytest.mark.parametrize(
    "text",
    ["cs_test_a1B2c3", "pi_3Abc123", "evt_1Abc", "billing.E001", "2026-11-20T10:00:00", "a@b", "1234567890123456"],
)
def test_ids_stay_readable(text: str) -> None:
    assert redact_text(f"session {text} done") == f"session {text} done"


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("/billing/redeem/?code=ABCD-EFGH&page=2", "/billing/redeem/?code=[redacted]&page=2"),
        ("/login/?next=/redeem/%3Fcode%3DABCD%26page%3D2", "/login/?next=/redeem/%3Fcode%3D[redacted]%26page%3D2"),
        ("/billing/unsubscribe/abc:1:d/?page=2", "/billing/unsubscribe/[redacted]/?page=2"),
        ("status_code=404 barcode=7 code=low", "status_code=404 barcode=7 code=low"),
    ],
)
def test_only_the_secret_of_an_address_goes(text: str, left: str) -> None:
    assert redact_text(text) == left


def test_json_lines_stay_json() -> None:
    formatter = logging_config("json")["formatters"]["structured"]
    processors = structlog.stdlib.ProcessorFormatter(**{k: v for k, v in formatter.items() if k != "()"})
    record = logging.LogRecord("name", logging.INFO, __file__, 1, "line\nann@example.com", None, None)

    line = json.loads(processors.format(record))

    assert line["event"] == "line\n[redacted]"
    assert line["level"] == "info"
    assert line["timestamp"].endswith("Z")

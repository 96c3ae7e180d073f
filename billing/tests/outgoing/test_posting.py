"""One POST: what is sent, and that nothing of an answer can hold us up, lead us elsewhere or fill our memory."""

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from standardwebhooks import Webhook, WebhookVerificationError

from billing.outgoing.addresses import read_target
from billing.outgoing.network import Network
from billing.outgoing.posting import MAX_ANSWER_BYTES, Answer, post_message, read_retry_after
from billing.outgoing.signing import new_secret, signed_headers
from billing.tests.outgoing.receiver import Receiver, running_receiver

PUBLIC = "93.184.215.14"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with running_receiver() as running:
        yield running


def post(url: str, *, body: bytes = b'{"a":1}', **options: Any) -> Answer:
    return post_message(
        target=read_target(url, may_be_loopback=True), headers={"webhook-id": "evt_1"}, body=body, **options
    )


def test_the_body_comes_as_it_was_sent(receiver: Receiver) -> None:
    answer = post(f"{receiver.url}?x=1")

    assert (answer.status, answer.excerpt, answer.error, answer.is_success) == (200, "ok", "", True)
    (got,) = receiver.received
    assert (got.path, got.body) == ("/in?x=1", '{"a":1}')
    assert got.headers["content-type"] == "application/json"
    assert got.headers["webhook-id"] == "evt_1"
    assert got.headers["host"] == f"127.0.0.1:{receiver.port}"
    assert "cookie" not in got.headers


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120),
        (" 7 ", 7),
        ("Sun, 29 Nov 2026 12:01:00 GMT", 60),
        ("Sun, 29 Nov 2026 11:59:00 GMT", 0),
        ("", 0),
        ("-5", 0),
        ("1e3", 0),
        ("tomorrow", 0),
        ("9" * 500, 999_999_999),
        ("Fri, 31 Dec 9999 23:00:00 -2300", 0),
        ("Mon, 01 Jan 2026 00:00:00 +99999999999999999999999", 0),
    ],
)
def test_wish_to_be_left_alone_is_read_as_seconds(value: str, seconds: int) -> None:
    assert read_retry_after(value, now=datetime(2026, 11, 29, 12, tzinfo=UTC)) == seconds


def test_a_wish_that_is_no_time_leaves_the_answer_as_it_is(receiver: Receiver) -> None:
    receiver.headers = {"Retry-After": "Fri, 31 Dec 9999 23:00:00 -2300"}

    assert post(receiver.url).is_success


def test_redirects_are_answers_and_are_not_followed(receiver: Receiver) -> None:
    with running_receiver() as inside:
        receiver.status, receiver.headers = 302, {"Location": inside.url, "Set-Cookie": "a=b"}

        answer = post(receiver.url)

        assert (answer.status, answer.is_success) == (302, False)
        assert inside.received == []
    assert len(receiver.received) == 1


def test_proxies_of_the_environment_are_not_asked(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    with running_receiver() as proxy:
        for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")

        assert post(receiver.url).status == 200
        assert proxy.received == []


def test_a_long_answer_is_cut(receiver: Receiver) -> None:
    receiver.answer = b"\xff\x00" + b"a" * 10_000_000

    answer = post(receiver.url)

    assert answer.is_success
    assert len(answer.excerpt) == 1023  # 1024 bytes, of which PostgreSQL could not keep the NUL
    assert answer.excerpt.startswith("�a")


def test_an_answer_of_headers_without_end_is_given_up(receiver: Receiver) -> None:
    sent = 0

    def flood(handler: Any) -> None:
        nonlocal sent
        try:
            while sent < 100 * MAX_ANSWER_BYTES:
                handler.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n" * 100)
                sent += 2500
        except OSError:
            return

    receiver.act = flood

    answer = post(receiver.url)

    assert answer.status is None
    assert answer.error == "It ended the connection, or does not speak HTTP."
    assert answer.duration_ms < 5000


def test_an_answer_that_drips_is_given_up_in_time(receiver: Receiver) -> None:
    def drip(handler: Any) -> None:
        try:
            for byte in b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 100:
                handler.wfile.write(bytes([byte]))
                time.sleep(0.05)
        except OSError:
            return

    receiver.act = drip
    started = time.monotonic()

    answer = post(receiver.url, total_seconds=0.6)

    assert answer.error == "It did not answer in time."
    assert time.monotonic() - started < 15  # half of what it drips for


def test_the_status_counts_where_the_rest_does_not_come(receiver: Receiver) -> None:
    def half(handler: Any) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        handler.wfile.flush()
        time.sleep(4)

    receiver.act = half

    answer = post(receiver.url, total_seconds=2)

    assert answer.status == 200


@pytest.mark.parametrize("answer_bytes", [b"", b"SSH-2.0-OpenSSH_9\r\n", b"+PONG\r\n", b"HTTP/1.1 abc\r\n\r\n"])
def test_what_is_not_http_is_no_answer(receiver: Receiver, answer_bytes: bytes) -> None:
    receiver.act = lambda handler: handler.wfile.write(answer_bytes)

    answer = post(receiver.url)

    assert answer.status is None
    assert answer.error


def test_where_nobody_listens_is_said() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    assert post(f"http://127.0.0.1:{port}/").error == "It cannot be connected to."


def test_a_resolver_that_hangs_is_left_behind() -> None:
    def hang(host: str, port: int) -> list[str]:
        time.sleep(30)
        return []

    network = Network(resolve=hang)
    started = time.monotonic()

    answer = post("http://localhost:1/", network=network, total_seconds=0.3)

    assert answer.error == "Its name was not resolved in time."
    assert time.monotonic() - started < 15  # half of what it hangs for


def test_a_name_without_an_address_is_said() -> None:
    def unknown(host: str, port: int) -> list[str]:
        raise socket.gaierror

    assert post("https://nobody.example.com/", network=Network(resolve=unknown)).error == "Its name has no address."


@pytest.mark.parametrize(
    ("name", "is_trusted", "expected"),
    [
        ("hooks.example.com", True, ""),
        ("other.example.com", True, "Its certificate cannot be trusted"),
        ("hooks.example.com", False, "Its certificate cannot be trusted"),
    ],
)
def test_the_certificate_is_the_names_though_the_address_is_pinned(
    name: str, is_trusted: bool, expected: str, tmp_path: Path
) -> None:
    with tls_server(tmp_path, name="hooks.example.com") as (port, certificate, heard):
        context = ssl.create_default_context(cafile=str(certificate)) if is_trusted else ssl.create_default_context()

        def connect(address: str, wanted_port: int, timeout_seconds: float) -> socket.socket:
            assert (address, wanted_port) == (PUBLIC, 443)
            return socket.create_connection(("127.0.0.1", port), timeout=timeout_seconds)

        network = Network(resolve=lambda host, port: [PUBLIC], connect=connect, context=context)
        answer = post(f"https://{name}/in", network=network)

    assert answer.error.startswith(expected)
    assert answer.is_success is not bool(expected)
    assert heard == ([] if expected else ["hooks.example.com"])


def test_a_signature_is_verified_by_each_secret_that_is_valid() -> None:
    old, new, other = new_secret(), new_secret(), new_secret()
    headers = signed_headers(message_id="evt_1", body='{"a":1}', sent_at=datetime.now(UTC), secrets=[new, old])

    assert Webhook(new).verify('{"a":1}', headers) == {"a": 1}
    assert Webhook(old).verify('{"a":1}', headers) == {"a": 1}
    with pytest.raises(WebhookVerificationError):
        Webhook(other).verify('{"a":1}', headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(new).verify('{"a":2}', headers)


class tls_server:  # noqa: N801  # used as a context manager
    """Answers 200 over TLS for one name; `heard` are the names that clients asked for."""

    def __init__(self, folder: Path, *, name: str) -> None:
        certificate, key = make_certificate(folder, name)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self.heard: list[str] = []
        self.certificate = certificate
        self.server = socket.create_server(("127.0.0.1", 0))
        self.context = context

    def __enter__(self) -> tuple[int, Path, list[str]]:
        threading.Thread(target=self._serve, daemon=True).start()
        return self.server.getsockname()[1], self.certificate, self.heard

    def __exit__(self, *_: object) -> None:
        self.server.close()

    def _serve(self) -> None:
        names: list[str] = []
        self.context.sni_callback = lambda sock, name, context: names.append(name or "")
        try:
            plain, _ = self.server.accept()
            with self.context.wrap_socket(plain, server_side=True) as connection:
                got = b""
                while not got.endswith(b"}"):
                    got += connection.recv(65536) or b"}"
                self.heard.extend(names)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        except OSError:
            return


def make_certificate(folder: Path, host: str) -> tuple[Path, Path]:
    """A certificate that signs itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name, now = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)]), datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    paths = folder / "certificate.pem", folder / "key.pem"
    paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return paths

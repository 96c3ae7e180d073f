"""A git server over https on this machine, with a certificate of its own."""

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from dulwich.repo import Repo
from dulwich.server import DictBackend
from dulwich.web import make_wsgi_chain

HOST = "localhost"
Application = Callable[[dict[str, Any], Any], Any]


class _QuietHandler(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


class GitServer:
    """Where it listens, whom to trust, and what it was asked."""

    def __init__(self, *, port: int, context: ssl.SSLContext) -> None:
        self.port, self.context = port, context
        self.requests: list[str] = []
        self.redirects_to = ""

    @property
    def address(self) -> str:
        return f"https://{HOST}:{self.port}/code"


@contextmanager
def running_git_server(repo: Repo, *, folder: Path) -> Iterator[GitServer]:
    """Serves the repository as `/code` until the end."""
    certificate, key = _make_certificate(folder)
    inner = make_wsgi_chain(DictBackend({"/code": repo}))  # type: ignore[arg-type]

    def application(environ: dict[str, Any], start_response: Any) -> Any:
        server.requests.append(environ["PATH_INFO"])
        if server.redirects_to:
            start_response("302 Found", [("Location", server.redirects_to)])
            return [b""]
        return inner(environ, start_response)

    httpd = make_server("127.0.0.1", 0, application, handler_class=_QuietHandler)
    ours = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ours.load_cert_chain(certificate, key)
    httpd.socket = ours.wrap_socket(httpd.socket, server_side=True)
    server = GitServer(port=httpd.server_port, context=ssl.create_default_context(cafile=str(certificate)))
    threading.Thread(target=httpd.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        httpd.shutdown()
        httpd.server_close()


def _make_certificate(folder: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name, now = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)]), datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    paths = folder / "certificate.pem", folder / "key.pem"
    paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return paths

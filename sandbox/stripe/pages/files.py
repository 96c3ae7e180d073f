"""The few files that pages load: styles, scripts and the stand-in for Stripe.js."""

from pathlib import Path

from django.http import Http404, HttpRequest, HttpResponse

_FOLDER = Path(__file__).parent.parent / "static"
_TYPES = {".css": "text/css", ".js": "text/javascript"}
_FILES = {path.name: path for path in _FOLDER.iterdir() if path.suffix in _TYPES}


def file_view(request: HttpRequest, name: str) -> HttpResponse:
    """One of our files."""
    path = _FILES.get(name)
    if path is None:
        raise Http404("There is no such file.")
    response = HttpResponse(path.read_bytes(), content_type=f"{_TYPES[path.suffix]}; charset=utf-8")
    response["Cache-Control"] = "no-store"
    response["Cross-Origin-Resource-Policy"] = "cross-origin"
    response["X-Content-Type-Options"] = "nosniff"
    return response


def stripe_js_view(request: HttpRequest) -> HttpResponse:
    """The stand-in for Stripe.js."""
    return file_view(request, "stripe.js")

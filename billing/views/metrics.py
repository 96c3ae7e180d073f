"""`/metrics`, for Prometheus."""

from collections.abc import Iterable

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from accounts.network import client_address
from billing import conf
from billing.selectors.metrics import read_gauges

LOOPBACK = ("127.0.0.1", "::1")


class StateCollector(Collector):
    """Every gauge, computed when it is asked for; nothing is counted in this process."""

    def collect(self) -> Iterable[GaugeMetricFamily]:
        for gauge in read_gauges(now=timezone.now()):
            family = GaugeMetricFamily(gauge.name, gauge.meaning, labels=gauge.labels)
            for label_values, value in gauge.values.items():
                family.add_metric(label_values, value)
            yield family


@require_safe
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """All gauges as text, for who has the token. Without a token configured there is no such page."""
    if not _may_read(request):
        is_offered = bool(conf.metrics_token())
        return HttpResponse("Not allowed.\n" if is_offered else "Not found.\n", status=403 if is_offered else 404)
    registry = CollectorRegistry(auto_describe=False)
    registry.register(StateCollector())
    encode, content_type = choose_encoder(request.headers.get("Accept", ""))
    return HttpResponse(encode(registry), content_type=content_type)


def _may_read(request: HttpRequest) -> bool:
    token = conf.metrics_token()
    if token and constant_time_compare(request.headers.get("Authorization", ""), f"Bearer {token}"):
        return True
    is_direct = "X-Forwarded-For" not in request.headers
    return conf.is_debug() and is_direct and client_address(request) in LOOPBACK

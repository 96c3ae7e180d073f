"""The settings of a server under measurement: no limit of requests, and one address more."""

from config.settings.local import *  # noqa: F403

ROOT_URLCONF = "benchmarks.urls"
API_REQUESTS_PER_MINUTE = 0
API_OPEN_STREAMS = 0

from __future__ import annotations

import pytest
from django.core.cache import cache


@pytest.fixture(autouse=True)
def _no_rate_limit_of_the_test_before() -> None:
    """Rate limits are counted in the cache, and all tests come from one address."""
    cache.clear()

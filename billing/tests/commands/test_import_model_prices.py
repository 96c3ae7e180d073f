"""`manage.py import_model_prices`: what is taken, what is kept, what is told, and its exit codes."""

from __future__ import annotations

import json
import re
import shlex
import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as configured
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone
from genai_prices import Usage
from genai_prices.data_snapshot import DataSnapshot, get_snapshot, set_custom_snapshot
from genai_prices.types import (
    ClauseEquals,
    ConditionalPrice,
    ModelInfo,
    ModelPrice,
    Provider,
    StartDateConstraint,
    Tier,
    TieredPrices,
    TimeOfDateConstraint,
)

from billing.models import AuditEntry, PricingConfig
from billing.selectors.prices import find_price, token_price
from billing.services.list_prices import SOURCE, ListPrice, read_list_prices
from billing.services.prices import withdraw_price
from billing.tests.prices import make_price
from billing.usage_cost import Tokens, cost_of_tokens

pytestmark = pytest.mark.django_db
PAGE = Path(configured.BASE_DIR) / "docs" / "pricing.md"
MILLION = Decimal("0.25"), Decimal("0.025"), Decimal(2)  # dollars for a million tokens: input, cached, output
PRICED = {"input_usd_per_1k": "0.00025", "cached_input_usd_per_1k": "0.000025", "output_usd_per_1k": "0.002"}


def listed(name: str, **prices: Any) -> ModelInfo:
    """A model of an invented list; without prices of its own at the usual ones."""
    usual = dict(zip(("input_mtok", "cache_read_mtok", "output_mtok"), MILLION, strict=True))
    return ModelInfo(id=name, match=ClauseEquals(equals=name), prices=ModelPrice(**(prices or usual)))


@pytest.fixture
def market() -> Iterator[list[Provider]]:
    """A list of two invented providers instead of the package's; tests add models to it."""
    acme = Provider(id="acme", name="Acme", api_pattern="https://acme", models=[listed("swift"), listed("wise")])
    umbra = Provider(id="umbra", name="Umbra", api_pattern="https://umbra", models=[listed("wise"), listed("dark")])
    set_custom_snapshot(DataSnapshot(providers=[acme, umbra], from_auto_update=False))
    yield [acme, umbra]
    set_custom_snapshot(None)


def run(*arguments: str) -> tuple[int, str]:
    """Exit code and output."""
    out = StringIO()
    try:
        call_command("import_model_prices", *arguments, stdout=out)
    except SystemExit as ended:
        return int(ended.code or 0), out.getvalue()
    return 0, out.getvalue()


def columns(model: str) -> dict[str, str]:
    version = find_price(model=model, at=timezone.now())
    return {name: f"{getattr(version, name).normalize():f}" for name in PRICED}


def only(market: list[Provider], model: ModelInfo) -> None:
    market[0].models[:] = [model]


@pytest.mark.usefixtures("market")
def test_new_models_get_the_list_price_and_the_markup() -> None:
    code, out = run("--provider", "acme", "--markup", "37.5")

    assert code == 0
    assert "2 new" in out
    assert columns("swift") == PRICED
    version = find_price(model="swift", at=timezone.now())
    assert (version.provider, version.markup_percent, version.request_usd) == ("acme", Decimal("37.5"), 0)
    assert version.note == f"List price of acme, {SOURCE}"
    assert AuditEntry.objects.filter(action="pricingconfig.set", actor=None).count() == 2


@pytest.mark.usefixtures("market")
def test_second_run_finds_nothing() -> None:
    run("--provider", "acme")

    code, out = run("--provider", "acme")

    assert (code, out.strip()) == (0, "2 unchanged.")
    assert PricingConfig.objects.count() == 2


@pytest.mark.usefixtures("market")
def test_dry_run_shows_old_and_new_and_sets_nothing() -> None:
    make_price(model="swift", provider="acme", input_usd_per_1k=Decimal("0.5"), output_usd_per_1k=Decimal("0.002"))

    code, out = run("--provider", "acme", "--dry-run")

    assert code == 1
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert "swift (acme): would be changed" in lines
    assert "input_usd_per_1k 0.5 -> 0.00025" in lines
    assert "cached_input_usd_per_1k 0.0001 -> 0.000025" in lines
    assert not any("output_usd_per_1k 0.002" in line for line in lines)
    assert "input_usd_per_1k - -> 0.00025" in lines  # of the one that is new
    assert lines[-1] == "Dry run: 1 new, 1 changed."
    assert PricingConfig.objects.count() == 1


@pytest.mark.usefixtures("market")
def test_dry_run_that_finds_nothing_is_exit_code_0() -> None:
    run("--provider", "acme")

    assert run("--provider", "acme", "--dry-run")[0] == 0


@pytest.mark.usefixtures("market")
def test_changed_price_keeps_our_markup_reserve_and_what_was_charged() -> None:
    old = make_price(model="swift", provider="acme", markup_percent=Decimal(60), output_reserve_tokens=777)

    assert run("--provider", "acme", "--model", "swift", "--markup", "5")[0] == 0

    new = find_price(model="swift", at=timezone.now())
    assert columns("swift") == PRICED
    assert (new.markup_percent, new.output_reserve_tokens) == (Decimal(60), 777)
    assert find_price(model="swift", at=new.effective_from - timedelta(microseconds=1)) == old


@pytest.mark.usefixtures("market")
def test_only_models_that_match_a_pattern_are_taken() -> None:
    run("--provider", "acme", "--provider", "umbra", "--model", "s*", "--model", "dark")

    assert set(PricingConfig.objects.values_list("model", flat=True)) == {"swift", "dark"}


@pytest.mark.usefixtures("market")
def test_of_a_name_that_two_providers_have_the_first_one_counts() -> None:
    code, out = run("--provider", "umbra", "--provider", "acme")

    assert code == 0
    assert "wise (acme): left as it is: its price is taken from umbra" in out
    assert find_price(model="wise", at=timezone.now()).provider == "umbra"
    assert "its price is umbra's" in run("--provider", "acme")[1]


@pytest.mark.usefixtures("market")
def test_what_staff_decided_is_left_as_it_is() -> None:
    make_price(model="swift", provider="acme")
    withdraw_price(model="swift", note="Too slow")
    make_price(model="wise", provider="acme", effective_from=timezone.now() + timedelta(days=1))

    code, out = run("--provider", "acme")

    assert code == 0
    assert "swift (acme): left as it is: it was withdrawn" in out
    assert "wise (acme): left as it is: its first price starts at" in out
    assert PricingConfig.objects.count() == 3


@pytest.mark.parametrize(
    ("prices", "reason"),
    [
        ({"input_mtok": TieredPrices(base=Decimal(1), tiers=[Tier(start=200_000, price=Decimal(2))])}, "length"),
        (
            {
                "input_mtok": Decimal(1),
                "output_mtok": TieredPrices(base=Decimal(1), tiers=[Tier(start=200_000, price=Decimal(2))]),
            },
            "length",
        ),
        ({"audio_hours": Decimal(1)}, "no price of input tokens is known (audio_hours)"),
        ({"output_mtok": Decimal(1)}, "no price of input tokens is known (output_mtok)"),
        ({"input_mtok": Decimal(1), "output_audio_mtok": Decimal(1)}, "its output is not text"),
        ({"input_mtok": Decimal(1), "cache_read_mtok": Decimal(2)}, "cached input would cost more than input"),
        ({"input_mtok": Decimal(2_000_000)}, "input_usd_per_1k: "),
    ],
)
@pytest.mark.parametrize("look", [["--dry-run"], []])
def test_what_does_not_fit_is_told_and_not_taken(
    market: list[Provider], prices: dict[str, Any], reason: str, look: list[str]
) -> None:
    only(market, listed("odd", **prices))

    code, out = run("--provider", "acme", *look)

    assert code == 1
    assert "odd (acme): not taken: " in out
    assert reason in out
    assert not PricingConfig.objects.exists()


def test_highest_tier_is_taken_for_all_prompts_where_that_is_wanted(market: list[Provider]) -> None:
    tiers = [Tier(start=200_000, price=Decimal(2)), Tier(start=100_000, price=Decimal(3))]
    only(market, listed("long", input_mtok=TieredPrices(base=Decimal(1), tiers=tiers), output_mtok=Decimal(5)))

    code, _ = run("--provider", "acme", "--highest-tier")

    assert code == 0
    assert columns("long") == {
        "input_usd_per_1k": "0.003",
        "cached_input_usd_per_1k": "0.003",
        "output_usd_per_1k": "0.005",
    }
    assert run("--provider", "acme")[0] == 1
    assert PricingConfig.objects.count() == 1


def test_examples_of_the_page_run() -> None:
    examples = re.findall(r"^python manage.py import_model_prices (.+)$", PAGE.read_text(), re.MULTILINE)

    assert [run(*shlex.split(example))[0] for example in examples] == [1, 0]
    assert run(*shlex.split(examples[0]))[0] == 0
    assert find_price(model="gpt-5", at=timezone.now()).markup_percent == 25


def test_price_that_depends_on_the_hour_is_not_taken(market: list[Provider]) -> None:
    night = TimeOfDateConstraint(start_time=time(22, tzinfo=UTC), end_time=time(6, tzinfo=UTC))
    model = listed("owl")
    assert isinstance(model.prices, ModelPrice)
    model.prices = [ConditionalPrice(prices=model.prices), ConditionalPrice(night, prices=model.prices)]
    only(market, model)

    assert "its price depends on the time of day" in run("--provider", "acme")[1]


def test_price_that_starts_later_is_taken_when_it_holds(market: list[Provider]) -> None:
    model, later = listed("riser"), date(2030, 1, 1)
    assert isinstance(model.prices, ModelPrice)
    dearer = ModelPrice(input_mtok=Decimal(9), output_mtok=Decimal(9))
    model.prices = [ConditionalPrice(prices=model.prices), ConditionalPrice(StartDateConstraint(later), prices=dearer)]
    only(market, model)
    before, since = (
        next(iter(read_list_prices(provider="acme", at=datetime(2030, 1, 1, tzinfo=UTC) - timedelta(seconds=ago))))
        for ago in (1, 0)
    )

    assert isinstance(before, ListPrice)
    assert isinstance(since, ListPrice)
    assert (before.input_usd_per_1k, since.input_usd_per_1k) == (Decimal("0.00025"), Decimal("0.009"))


def test_missing_prices_mean_what_providers_mean_by_them(market: list[Provider]) -> None:
    only(market, listed("embedder", input_mtok=Decimal("0.02")))
    run("--provider", "acme")

    version = find_price(model="embedder", at=timezone.now())

    assert version.cached_input_usd_per_1k == version.input_usd_per_1k == Decimal("0.00002")
    assert version.output_usd_per_1k == 0


def test_prices_that_passed_through_floats_are_read_as_they_were_meant(market: list[Provider]) -> None:
    only(market, listed("noisy", input_mtok=Decimal("0.13999999999999999"), output_mtok=Decimal("0.18000000000000002")))
    run("--provider", "acme")

    version = find_price(model="noisy", at=timezone.now())

    assert (version.input_usd_per_1k, version.output_usd_per_1k) == (Decimal("0.00014"), Decimal("0.00018"))


def test_price_per_request_is_taken_and_what_has_no_column_is_told(market: list[Provider]) -> None:
    only(market, listed("searcher", input_mtok=Decimal(1), requests_kcount=Decimal(12), web_searches_kcount=Decimal(5)))

    out = run("--provider", "acme")[1]

    assert find_price(model="searcher", at=timezone.now()).request_usd == Decimal("0.012")
    assert "the list also has web_searches_kcount" in out


@pytest.mark.usefixtures("market")
def test_json_tells_the_same() -> None:
    make_price(model="swift", provider="acme")

    code, out = run("--provider", "acme", "--provider", "umbra", "--dry-run", "--json")

    document = json.loads(out)
    models = {(step["provider"], step["model"]): step for step in document["models"]}
    assert code == 1
    assert (document["dry_run"], document["source"]) == (True, SOURCE)
    assert document["counts"] == {"changed": 1, "new": 2, "left": 1}
    assert models["acme", "swift"]["changes"]["input_usd_per_1k"] == {"old": "0.001", "new": "0.00025"}
    assert models["acme", "wise"]["changes"]["input_usd_per_1k"] == {"old": None, "new": "0.00025"}
    assert models["umbra", "wise"]["reason"] == "its price is taken from acme"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "--provider"),
        (["--provider", "nobody"], "provider: 'nobody' is not known. Choose of: acme, umbra."),
        (["--provider", "acme", "--model", "slow*"], "no model of acme is called 'slow*'"),
        (["--provider", "acme", "--markup", "-1"], "no percentage from 0 to 10000"),
        (["--provider", "acme", "--markup", "10001"], "no percentage from 0 to 10000"),
        (["--provider", "acme", "--markup", "1.2345"], "three places"),
        (["--provider", "acme", "--markup", "NaN"], "no percentage"),
        (["--provider", "acme", "--markup", "much"], "write 25 or 37.5"),
    ],
)
@pytest.mark.usefixtures("market")
def test_what_makes_no_sense_is_an_error(arguments: list[str], told: str) -> None:
    with pytest.raises(CommandError) as refused:
        run(*arguments)

    assert told in str(refused.value)
    assert not PricingConfig.objects.exists()


def test_unknown_provider_is_exit_code_2() -> None:
    with pytest.raises(CommandError) as refused:
        run("--provider", "nobody")

    assert refused.value.returncode == 2


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("market")
def test_two_imports_at_once_set_each_price_once() -> None:
    make_price(model="swift", provider="acme")
    barrier = threading.Barrier(3)

    def run_one() -> None:
        barrier.wait()
        run("--provider", "acme")
        connection.close()

    threads = [threading.Thread(target=run_one) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(PricingConfig.objects.values_list("model", flat=True)) == ["swift", "swift", "wise"]


def test_list_prices_charge_what_the_package_computes_for_a_call() -> None:
    compared = 0
    for name in ("openai", "anthropic", "mistral", "groq"):
        run("--provider", name)
        provider = next(provider for provider in get_snapshot().providers if provider.id == name)
        for model in provider.models:
            version = PricingConfig.objects.filter(model=model.id, provider=name).first()
            if version is None:
                continue
            ours = cost_of_tokens(tokens=Tokens(input=90_000, cached=40_000, output=7_000), price=token_price(version))
            usage = Usage(input_tokens=90_000, cache_read_tokens=40_000, output_tokens=7_000)
            assert abs(ours - model.calc_price(usage, provider).total_price) < Decimal("0.0000005"), model.id
            compared += 1

    assert compared > 100

"""What the pages say is there: links, commands, variables, alarms, and the examples, which run."""

import ast
import re
import subprocess
from collections.abc import Iterator
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import get_commands

from accounts.models import User
from billing.credits import add_credits, get_balance
from billing.webhooks.dispatch import HANDLERS

ROOT = Path(settings.BASE_DIR)
README = ROOT / "README.md"
APPS = ("accounts", "billing", "config", "sandbox", "usage")
BINARY = {".gz", ".png", ".ico", ".woff2", ".jpg", ".sqlite3"}


def tracked_files() -> list[Path]:
    """The files of the repository; of a copy without git, those that are not generated."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode == 0:
        names = [name for name in listed.stdout.split("\0") if name]
        return [ROOT / name for name in names if (ROOT / name).is_file()]
    generated = {"var", "staticfiles", "test-results", "node_modules", "__pycache__"}
    return [
        path
        for path in ROOT.rglob("*")
        if path.is_file()
        and not any(part in generated or part.startswith(".") for part in path.relative_to(ROOT).parts[:-1])
    ]


PAGES = sorted(path for path in tracked_files() if path.suffix == ".md")


def section(title: str) -> str:
    """A second-level section of the README."""
    return README.read_text().split(f"\n## {title}\n")[1].split("\n## ")[0]


def first_cells(table: str) -> Iterator[str]:
    """The names in backquotes in the first column of a Markdown table, wherever it is indented."""
    for row in re.findall(r"^\s*\| (`[^|]+) \|", table, re.MULTILINE):
        yield from re.findall(r"`([^`]+)`", row)


def python_examples() -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", README.read_text(), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_and_image_leads_somewhere(page: Path) -> None:
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    targets = re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r"(?:src|srcset|href)=\"([^\"]+)\"", text)

    missing = [
        target
        for target in targets
        if not target.startswith(("http://", "https://", "mailto:", "#"))
        and not (page.parent / target.partition("#")[0]).exists()
    ]

    assert not missing


def test_images_are_small() -> None:
    sizes = {path.name: path.stat().st_size for path in (ROOT / "docs/images").iterdir()}

    assert {name: size for name, size in sizes.items() if size >= 200_000} == {}


def test_readme_lists_exactly_our_commands() -> None:
    ours = {name for name, app in get_commands().items() if str(app).partition(".")[0] in APPS}

    assert set(first_cells(section("Commands"))) == ours


def test_documented_variables_are_in_the_example_file() -> None:
    documented = set(first_cells((ROOT / "docs/configuration.md").read_text().split("\n## ")[0]))
    example = set(re.findall(r"^#(\w+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))

    assert documented == example
    assert set(first_cells(section("Configuration"))) <= example


def test_readme_names_exactly_the_events_that_are_handled() -> None:
    going_live = section("Going live with Stripe")

    forwarded = re.search(r"--events \\\n(.*?)\n```", going_live, re.DOTALL)

    assert set(first_cells(going_live)) == set(HANDLERS)
    assert forwarded is not None
    assert set(re.sub(r"[\\\s]", "", forwarded[1]).split(",")) == set(HANDLERS)


def test_readme_explains_every_alarm() -> None:
    sources = [path.read_text() for path in (ROOT / "billing").rglob("*.py") if "tests" not in path.parts]
    raised = set(re.findall(r"log\.\w+\(\s*\"(\w+)\",\s*alarm=True", "\n".join(sources)))

    watched = section("In production").split("### What to watch")[1].split("### ")[0]

    assert set(first_cells(watched)) == raised


@pytest.mark.parametrize("example", python_examples(), ids=lambda example: example.splitlines()[0])
def test_examples_import_what_exists(example: str) -> None:
    for node in ast.walk(ast.parse(example)):
        if isinstance(node, ast.ImportFrom) and node.module:
            module = import_module(node.module)
            assert [alias.name for alias in node.names if not hasattr(module, alias.name)] == []


@pytest.mark.django_db
def test_examples_of_the_readme_do_what_they_say() -> None:
    names: dict[str, Any] = {}
    exec(compile(python_examples()[0], str(README), "exec"), names)  # noqa: S102  # our own page
    user = User.objects.create_user("reader@example.com")
    add_credits(user, 50, kind="promotion", idempotency_key="start")

    assert names["describe_image"](user, 1) == "47.500000 credits are left."
    assert names["describe_image"](user, 1) == "47.500000 credits are left."
    assert names["summarise"](user, 7, 1, lambda: ("Short.", Decimal(12))) == "Short."
    assert get_balance(user).available == Decimal("35.5")
    assert names["welcome_back"](user) == (Decimal("135.5"), True)
    assert names["describe_image"](User.objects.create_user("poor@example.com"), 1).startswith("2.5")


def test_no_file_names_a_machine_or_a_package_registry() -> None:
    # Spelt in two halves each, so that this file does not find itself.
    words = ["/work" + "/", "/home" + "/", "/root" + "/", "/Users" + "/", "pypi" + ".org", "pythonhosted" + ".org"]
    words += ["index" + "-url", "registry" + ".npmjs", "pip" + ".conf"]

    found = {
        f"{path.relative_to(ROOT)}: {word}"
        for path in tracked_files()
        if path.suffix not in BINARY
        for word in words
        if word in path.read_text(errors="replace")
    }

    assert found == set()

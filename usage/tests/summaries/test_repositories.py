"""Which repositories may be read, and all the ways of writing one that may not."""

from contextlib import suppress
from pathlib import Path

import pytest

from usage.diffs.refusals import DiffRefused
from usage.diffs.repositories import find_repository, is_allowed_entry, listed_repositories
from usage.tests.summaries.repositories import make_repository

HTTPS = ("https://git.example.com/acme/site.git", "https://git.example.com/open/")


def refuses(name: str, *allowed: str) -> bool:
    with suppress(DiffRefused):
        find_repository(name=name, allowed=allowed)
        return False
    return True


def test_an_entry_is_one_repository(tmp_path: Path) -> None:
    make_repository(tmp_path / "code")
    make_repository(tmp_path / "code" / "inner")
    allowed = str(tmp_path / "code")

    found = find_repository(name=allowed, allowed=(allowed,))

    assert (found.folder, found.label) == (tmp_path / "code", "code")
    assert refuses(f"{allowed}/inner", allowed)
    assert refuses(f"{allowed}/", allowed)
    assert refuses(str(tmp_path), allowed)


def test_an_entry_with_a_slash_is_a_folder_of_repositories(tmp_path: Path) -> None:
    for name in ("one", "two", "two/deep"):
        make_repository(tmp_path / name)
    (tmp_path / "empty").mkdir()
    allowed = f"{tmp_path}/"

    assert find_repository(name=f"{tmp_path}/two", allowed=(allowed,)).label == "two"
    assert [repository.label for repository in listed_repositories(allowed=(allowed,))] == ["one", "two"]
    assert refuses(f"{tmp_path}/two/deep", allowed)
    assert refuses(f"{tmp_path}/empty", allowed)
    assert refuses(str(tmp_path), allowed)


def test_paths_that_lead_out_are_refused(tmp_path: Path) -> None:
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    make_repository(inside / "good")
    make_repository(outside)
    (inside / "link").symlink_to(outside)
    borrowed = make_repository(inside / "borrowed")
    (Path(borrowed.path) / ".git" / "objects" / "info" / "alternates").write_text(f"{outside}/.git/objects\n")
    (inside / "linked").mkdir()
    (inside / "linked" / ".git").symlink_to(outside / ".git")
    (inside / "file").mkdir()
    (inside / "file" / ".git").write_text(f"gitdir: {outside}/.git\n")
    allowed = f"{inside}/"

    assert not refuses(f"{inside}/good", allowed)
    for name in ("../outside", "good/../../outside", "link", "borrowed", "linked", "file", "./good", "/good"):
        assert refuses(f"{inside}/{name}", allowed), name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "/",
        "relative/path",
        "file:///srv/code",
        "ssh://git@git.example.com/acme/site.git",
        "git@git.example.com:acme/site.git",
        "git://git.example.com/acme/site.git",
        "http://git.example.com/acme/site.git",
        "HTTPS://git.example.com/acme/site.git",
        "https://user:hunter2@git.example.com/acme/site.git",
        "https://git.example.com:8443/acme/site.git",
        "https://git.example.com/acme/site.git?x=1",
        "https://git.example.com/acme/site.git#x",
        "https://git.example.com/acme/other.git",
        "https://git.example.com/acme/site.git/../other.git",
        "https://git.example.com/open/../acme/other.git",
        "https://git.example.com/open/%2e%2e/acme",
        "https://git.example.com/open/",
        "https://git.example.com/open//x",
        "https://git.example.com.evil.com/open/x",
        "https://git.example.com\\@evil.com/open/x",
        "https://127.0.0.1/open/x",
        "https://[::1]/open/x",
        "https://localhost/open/x",
        "https://git.example.com/open/x\ny",
        "https://git.example.com/open/" + "x" * 500,
        "ext::sh -c id",
    ],
)
def test_addresses_that_are_not_listed_are_refused_however_they_are_written(name: str) -> None:
    assert refuses(name, *HTTPS)


def test_the_refusal_names_the_field_and_not_what_was_sent() -> None:
    with pytest.raises(DiffRefused) as refused:
        find_repository(name="https://user:hunter2@git.example.com/acme/site.git", allowed=HTTPS)

    assert (refused.value.field, refused.value.reason) == ("repository", "repository_not_allowed")
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("name", ["https://git.example.com/acme/site.git", "https://git.example.com/open/any/thing"])
def test_listed_addresses_are_found(name: str) -> None:
    found = find_repository(name=name, allowed=HTTPS)

    assert (found.name, found.is_local) == (name, False)


@pytest.mark.parametrize(
    ("entry", "is_good"),
    [
        ("/srv/code", True),
        ("/srv/code/", True),
        ("https://git.example.com/acme/", True),
        ("https://git.example.com/", True),
        ("srv/code", False),
        ("/srv/../etc", False),
        ("https://user:secret@git.example.com/acme", False),
        ("http://git.example.com/acme", False),
        ("https://10.0.0.1/acme", False),
    ],
)
def test_entries_of_the_setting_are_judged(entry: str, is_good: bool) -> None:
    assert is_allowed_entry(entry) == is_good

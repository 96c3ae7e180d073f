"""Which repositories may be read: those that `SUMMARY_REPOSITORIES` lists, and nothing that only looks like one.

An entry is one repository, or with a slash at its end a folder (a local one, or an https address) of repositories.
"""

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final
from urllib.parse import urlsplit

from usage.diffs.refusals import DiffRefused, Reason

MAX_NAME: Final = 500
_HTTPS_PATH: Final = re.compile(r"(/[A-Za-z0-9_~+.-]+)+/?")
_HOST: Final = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """A repository that may be read: in a folder of this machine, or at an https address."""

    name: str
    folder: Path | None = None

    @property
    def is_local(self) -> bool:
        return self.folder is not None

    @property
    def label(self) -> str:
        """The last part of the name, for people."""
        return PurePosixPath(self.name).name.removesuffix(".git")


def find_repository(*, name: str, allowed: tuple[str, ...]) -> Repository:
    """The repository of that name.

    Raises:
        DiffRefused: it is not allowed, however it is written.
    """
    name = name.strip()
    if 0 < len(name) <= MAX_NAME and name.isprintable() and not name.endswith("/"):
        found = _find_remote(name, allowed) if name.startswith("https://") else _find_local(name, allowed)
        if found is not None:
            return found
    raise DiffRefused(
        reason=Reason.NOT_ALLOWED,
        field="repository",
        fault="it is not one of those that are summarised here",
        remedy="Send one that the page lists, exactly as it is written there, or paste the diff.",
    )


def listed_repositories(*, allowed: tuple[str, ...]) -> list[Repository]:
    """The repositories that can be named in a list: single entries, and what local folders hold."""
    found = []
    for entry in allowed:
        names = [entry]
        if entry.endswith("/"):
            folder = Path(entry)
            is_folder = folder.is_absolute() and folder.is_dir()
            names = [str(path) for path in sorted(folder.iterdir())] if is_folder else []
        for name in names:
            try:
                found.append(find_repository(name=name, allowed=allowed))
            except DiffRefused:
                continue
    return found


def is_allowed_entry(entry: str) -> bool:
    """Whether an entry of the setting can mean anything: an absolute path, or an https address without a login."""
    return _is_plain_https(entry) if entry.startswith("https://") else _is_plain_path(entry)


def _find_local(name: str, allowed: tuple[str, ...]) -> Repository | None:
    if not _is_plain_path(name):
        return None
    folder = Path(name)
    for entry in allowed:
        if not entry.startswith("/"):
            continue
        is_meant = folder.parent == Path(entry) if entry.endswith("/") else folder == Path(entry)
        if is_meant and _lies_in(folder, base=Path(entry)):
            return Repository(name=str(folder), folder=folder)
    return None


def _lies_in(folder: Path, *, base: Path) -> bool:
    """Whether it is a repository whose objects are its own: nothing in it leads out of the entry's folder."""
    home = base.resolve() / folder.relative_to(base)
    if folder.resolve() != home:
        return False
    control = home / ".git" if (home / ".git").is_symlink() or (home / ".git").exists() else home
    places = [
        control,
        *(control / name for name in ("HEAD", "config", "objects", "objects/pack", "refs", "packed-refs")),
    ]
    if any(place.is_symlink() for place in places):
        return False
    leads_out = (control / "objects" / "info" / "alternates", control / "commondir")
    return (control / "objects").is_dir() and not any(place.exists() for place in leads_out)


def _find_remote(name: str, allowed: tuple[str, ...]) -> Repository | None:
    if not _is_plain_https(name):
        return None
    for entry in allowed:
        if name == entry or (entry.endswith("/") and name.startswith(entry)):
            return Repository(name=name)
    return None


def _is_plain_path(name: str) -> bool:
    parts = name.split("/")
    return name.startswith("/") and ".." not in parts and "." not in parts and "//" not in name and name != "/"


def _is_plain_https(name: str) -> bool:
    """No login, port, query or fragment, no address in numbers, nothing that another reader would read otherwise."""
    try:
        parts = urlsplit(name)
        is_bare = not (parts.query or parts.fragment or parts.username or parts.password) and parts.port is None
    except ValueError:
        return False
    host = parts.hostname or ""
    is_named = bool(_HOST.fullmatch(host)) and not host.rpartition(".")[2].isdigit() and parts.netloc == host
    has_plain_path = bool(_HTTPS_PATH.fullmatch(parts.path)) and not {"..", "."} & set(parts.path.split("/"))
    return is_bare and is_named and (has_plain_path or parts.path == "/") and name == f"https://{host}{parts.path}"

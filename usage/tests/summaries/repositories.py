"""Real git repositories for tests, made without a git program."""

from pathlib import Path

from dulwich.objects import ObjectID
from dulwich.repo import Repo

AUTHOR = b"Ada Lovelace <ada@example.com>"


def make_repository(folder: Path) -> Repo:
    """An empty repository with a working folder."""
    folder.mkdir(parents=True, exist_ok=True)
    return Repo.init(str(folder))


def commit_files(repo: Repo, message: str, files: dict[str, bytes | None], *, merges: str = "") -> str:
    """Commit files (None takes one away); gives the commit's full name. `merges` is a second parent."""
    root = Path(repo.path)
    for name, content in files.items():
        place = root / name
        if content is None:
            place.unlink()
        else:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)
    worktree = repo.get_worktree()
    worktree.stage([name.encode() for name in files])
    made = worktree.commit(
        message=message.encode(),
        committer=AUTHOR,
        author=AUTHOR,
        merge_heads=[ObjectID(merges.encode())] if merges else None,
        sign=False,
    )
    return made.decode()

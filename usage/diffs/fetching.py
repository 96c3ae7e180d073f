"""Two commits of a repository elsewhere, fetched over https into a folder that is gone afterwards."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, Final
from urllib.parse import urlsplit

from dulwich.client import Urllib3HttpGitClient
from dulwich.errors import GitProtocolError, HangupException, NotGitRepository
from dulwich.objects import ObjectID
from dulwich.repo import Repo
from urllib3.exceptions import HTTPError

from usage.diffs.deadline import Deadline
from usage.diffs.network import READ_SECONDS, make_pool
from usage.diffs.packs import check_pack
from usage.diffs.refusals import DiffRefused, Reason
from usage.diffs.repositories import Repository

MAX_PACK_BYTES: Final = 50_000_000
WITH_PARENTS: Final = 2  # generations
_UNKNOWN_TO_SERVER: Final = ("not our ref", "unadvertised object", "no such remote ref", "upload-pack: not our")


@contextmanager
def fetched(*, repository: Repository, commit: ObjectID, deadline: Deadline) -> Iterator[Repo]:
    """A repository that holds the commit and its parents.

    Raises:
        DiffRefused: the server has no such commit, cannot be reached, sends too much or takes too long.
    """
    with tempfile.TemporaryDirectory(prefix="prepaid-commit-") as folder, Repo.init_bare(folder) as repo:
        _fetch(repo, repository.name, commit, deadline)
        yield repo


def _fetch(repo: Repo, address: str, commit: ObjectID, deadline: Deadline) -> None:
    parts = urlsplit(address)
    pool = make_pool(host=parts.hostname or "")
    client = Urllib3HttpGitClient(f"https://{parts.netloc}", pool_manager=pool, timeout=READ_SECONDS, dumb=False)
    pack, keep, drop = repo.object_store.add_pack()
    taken = 0

    def take(chunk: bytes) -> int:
        nonlocal taken
        deadline.check()
        taken += len(chunk)
        if taken > MAX_PACK_BYTES:
            raise DiffRefused(
                reason=Reason.TOO_LARGE,
                field="repository",
                fault=f"its files have more than {MAX_PACK_BYTES // 1_000_000} MB",
                remedy="Paste the diff.",
            )
        return pack.write(chunk)

    def want(refs: Any, depth: int | None = None) -> list[ObjectID]:
        deadline.check()
        return [commit]

    try:
        client.fetch_pack(
            parts.path.encode(), want, repo.get_graph_walker(heads=[]), take, depth=WITH_PARENTS, ref_prefix=[b"HEAD"]
        )
        _keep(pack, keep, deadline)
    except (GitProtocolError, HangupException, NotGitRepository, HTTPError, NotImplementedError) as error:
        drop()
        raise _refusal(error) from None
    except BaseException:
        drop()
        raise
    finally:
        pool.clear()


def _keep(pack: BinaryIO, keep: Callable[[], object], deadline: Deadline) -> None:
    """Unpack what has come, once it is known to be of a bearable size."""
    try:
        check_pack(pack, deadline=deadline)
        keep()
    except DiffRefused:
        raise
    except Exception as error:  # a stranger's bytes: there is no end of ways in which they can be wrong
        raise GitProtocolError("The pack cannot be read.") from error


def _refusal(error: Exception) -> DiffRefused:
    """The server's own words are not told: they are a stranger's, and may name addresses."""
    if any(words in str(error).lower() for words in _UNKNOWN_TO_SERVER):
        return DiffRefused(
            reason=Reason.UNKNOWN_COMMIT,
            field="commit",
            fault="the repository has no such commit",
            remedy="Send a commit that has been pushed there.",
        )
    return DiffRefused(
        reason=Reason.UNAVAILABLE,
        field="repository",
        fault="it cannot be read at its address now",
        remedy="Try again later, or paste the diff.",
    )

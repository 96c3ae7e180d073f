"""What people fill in on the page of summaries, checked: a commit to choose, or a diff to paste."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from billing.errors import InvalidRequest
from usage import conf
from usage.diffs.commits import recent_commits
from usage.diffs.repositories import listed_repositories
from usage.services.summary_sources import SummarySource, read_source

COMMITS_LISTED = 15
SEPARATOR = "@"


class SourceForm(forms.Form):
    """A form that names something to summarise; `source` is it, once the form is valid."""

    source: SummarySource

    def read(self, **named: str) -> None:
        """Find what was named; a refusal becomes the error of the field that it names."""
        try:
            self.source = read_source(**named)
        except InvalidRequest as refusal:
            field = refusal.field if refusal.field in self.fields else None
            self.add_error(field, f"{refusal.fault[:1].upper()}{refusal.fault[1:]}. {refusal.remedy}")


class PickedCommitForm(SourceForm):
    """One of the latest commits of the repositories on this machine."""

    picked = forms.ChoiceField(label=_("Commit"))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.choices = _commits_to_pick()
        picked = self.fields["picked"]
        if isinstance(picked, forms.ChoiceField):
            picked.choices = self.choices

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if picked := cleaned.get("picked"):
            repository, _separator, commit = picked.rpartition(SEPARATOR)
            self.read(repository=repository, commit=commit)
        return cleaned


class NamedCommitForm(SourceForm):
    """Any commit of an allowed repository."""

    repository = forms.CharField(
        label=_("Repository"), max_length=500, widget=forms.TextInput(attrs={"list": "repositories"})
    )
    commit = forms.CharField(
        label=_("Commit"),
        max_length=64,
        help_text=_("All 40 digits, as git rev-parse HEAD prints them."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if "repository" in cleaned and "commit" in cleaned:
            self.read(repository=cleaned["repository"], commit=cleaned["commit"])
        return cleaned


class PastedDiffForm(SourceForm):
    """A diff as a text."""

    diff = forms.CharField(
        label=_("Diff"),
        strip=False,
        help_text=_("What git diff or git show prints, up to 200 kB."),
        widget=forms.Textarea(attrs={"rows": 8, "spellcheck": "false", "autocomplete": "off", "class": "code"}),
    )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if "diff" in cleaned:
            self.read(diff=cleaned["diff"])
        return cleaned


FORMS: dict[str, type[SourceForm]] = {
    "picked": PickedCommitForm,
    "named": NamedCommitForm,
    "pasted": PastedDiffForm,
}


def takes_names() -> bool:
    """Whether there are repositories whose commits cannot be listed here."""
    return any(entry.startswith("https://") for entry in conf.summary_repositories())


def repository_names() -> list[str]:
    """What can be offered where a repository is typed."""
    return [repository.name for repository in listed_repositories(allowed=conf.summary_repositories())]


def _commits_to_pick() -> list[tuple[str, list[tuple[str, str]]]]:
    groups = []
    for repository in listed_repositories(allowed=conf.summary_repositories()):
        commits = [
            (f"{repository.name}{SEPARATOR}{line.commit}", f"{line.short} {line.subject}")
            for line in recent_commits(repository=repository, limit=COMMITS_LISTED)
        ]
        if commits:
            groups.append((repository.label, commits))
    return groups

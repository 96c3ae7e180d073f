"""A page that asks before something is done, with a reason where one is needed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms
from django.contrib.admin import ModelAdmin
from django.http import HttpRequest
from django.template.response import TemplateResponse

TEMPLATE = "admin/billing/confirm.html"


def confirmation_page(
    *,
    model_admin: ModelAdmin[Any],
    request: HttpRequest,
    title: str,
    subtitle: str,
    question: str,
    button: str,
    back: str,
    form: forms.Form | None = None,
    lines: Sequence[str] = (),
    hidden: Sequence[tuple[str, str]] = (),
) -> TemplateResponse:
    """The question, what it is about (`lines`), and a button that sends the form and `hidden` with `confirm`."""
    context = {
        **model_admin.admin_site.each_context(request),
        "title": title,
        "subtitle": subtitle,
        "opts": model_admin.opts,
        "question": question,
        "button": button,
        "back": back,
        "form": form,
        "lines": lines,
        "hidden": hidden,
    }
    return TemplateResponse(request, TEMPLATE, context)

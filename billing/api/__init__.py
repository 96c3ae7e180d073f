"""The REST API, `/api/v1/`: what docs/api.md promises to programs.

base.py            what every endpoint is built on      authentication.py  who is calling, by which way in
problems.py        refusals as RFC 9457 documents       permissions.py     what the caller may do
parsing.py         bodies, strict fields                idempotency.py     the header that names an intent
lists.py           pages of a list                      shapes.py          rows as JSON
staff_credits.py   POST admin/credits                   staff_entries.py   GET admin/ledger-entries

Statuses of refusals are in the one table of `billing.views.refusals`, which the pages share.
"""

"""The REST API, `/api/v1/`: what docs/api.md promises to programs.

base.py            what every endpoint is built on      authentication.py  who is calling, by which way in
problems.py        refusals as RFC 9457 documents       permissions.py     what the caller may do
parsing.py         bodies, strict fields                idempotency.py     the header that names an intent
lists.py           pages of a list                      shapes.py          rows as JSON
callers.py         for whom a request acts              rates.py           how often one may ask
balance.py         GET balance                          ledger_entries.py  GET ledger-entries
debits.py          POST debits                          holds.py           POST holds, and how they end
packs.py           GET credit-packs                     checkout_sessions.py  POST checkout-sessions
customers.py       POST customers                       schema/            all of it as OpenAPI
staff_credits.py   POST admin/credits                   staff_entries.py   GET admin/ledger-entries

Statuses of refusals are in the one table of `billing.views.refusals`, which the pages share.
"""

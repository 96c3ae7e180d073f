"""The core: the only writer of balances, entries, grants, allocations, uncovered parts and holds.

shapes.py     what goes in and what comes out, as plain dataclasses      pure
planning.py   all rules: what an operation does to a locked account      pure
burn_down.py  which grants an outgoing entry draws on                     pure
returning.py  the rule for credits that come back                        pure
locking.py    locks balances by ascending id, then loads accounts
writing.py    writes a plan by one statement
hold_rows.py  what placing and ending a hold reads and writes
posting.py, holding.py   lock, load, plan, write: what services call, inside their database transaction
balances.py   the balance row itself: opened, frozen and freed
verification.py          recomputes everything from entries and allocations
"""

"""A fit under watch: when to observe, what to keep, and what to do when something fails.

`session` holds what lasts over all fits of a monitor, and makes a `watched_fit` for each. That one leads the parts:
`schedule`, `alarm`, and `observer`, which takes a `first_look` and gives samples to `evaluation`. Below them lie
`recorder`, then `guard`, and `budget`; no part knows one that stands above it.
"""

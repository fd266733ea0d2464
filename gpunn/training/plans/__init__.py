"""A model's steps as plans: recorded for each kind of batch, and replayed from then on.

Read first `captured.py`, which decides when a step is recorded and when a plan may do it, then
`steps.py`, which makes plans of the steps that gpunn has, and `own_steps.py`, of those that users
write. They are recorded on copies of the model's objects (`stand_in.py`). `watch.py` tells whether
what a plan was made of is still what it was.

A plan may stand for code that is not gpunn's only if all is known that this code reads:
`user_code.py` sees what runs, `reads.py` which names it reads, `contents.py` what lies there, and
`places.py` how that is compared.
"""

"""One module per alembic revision, in two branches, ``expand`` and ``contract``, that both begin at ``mitaka02``.

Ids up to ``2024_1_*`` are those that upstream's databases carry; ours follow with the prefix ``v1_``. A revision can be
repeated after having been interrupted anywhere. It may import ``guarded`` and ``glance.exceptions``, never ``models``.
"""

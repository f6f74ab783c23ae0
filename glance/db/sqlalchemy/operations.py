"""What every group of operations has: an engine, and statements made once."""
from glance.db.sqlalchemy.engine import Engine
from glance.db.validation import Limits


class Operations:
    """Base of the groups of operations that ``database.SQLDatabase`` puts together."""

    def __init__(self, engine: Engine):
        self._engine = engine
        self._dialect = engine.dialect
        self._limits = Limits(engine.dialect.text_bytes, engine.four_bytes)

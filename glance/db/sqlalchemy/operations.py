"""What every group of operations has: an engine, and statements made once."""
from glance.db.sqlalchemy.engine import Engine
from glance.db.validation import Limits, is_storable, needs_four_bytes


class Operations:
    """Base of the groups of operations that ``database.SQLDatabase`` puts together."""

    def __init__(self, engine: Engine):
        self._engine = engine
        self._dialect = engine.dialect
        self._limits = Limits(engine.dialect.text_bytes, engine.four_bytes)

    def _can_be_stored(self, text: str) -> bool:
        """Whether any row could hold this text: what cannot be stored need not be looked for."""
        return is_storable(text) and (not needs_four_bytes(text) or self._limits.four_bytes())

"""The options of a store, without a configuration file."""
import types

from glance.conf.store import DRIVERS


def store_options(kind: str, **values) -> types.SimpleNamespace:
    """What a configuration section of a store of this type would hold, with these values for its options."""
    defaults = {option.dest: option.default for option in DRIVERS[kind]}
    return types.SimpleNamespace(**{**defaults, 'section': kind, 'store_connect_timeout': 10, 'store_idle_timeout': 60, **values})

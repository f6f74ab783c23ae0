"""In which order the locations of an image are read, where weights of stores do not decide."""
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

from oslo_config import cfg

from glance.store.location import SCHEMES


class Located(Protocol):
    """What has a location: its URL, and what the store wants remembered with it."""

    url: str
    metadata: dict[str, Any]


L = TypeVar('L', bound=Located)
Strategy = Callable[[Sequence[L]], list[L]]


def from_conf(conf: cfg.ConfigOpts) -> Strategy:
    """Return the strategy that ``location_strategy`` names; it sorts copies and keeps the order of equals."""
    if conf.location_strategy == 'store_type':
        return by_store_type(conf.store_type_location_strategy.store_type_preference)
    return list


def by_store_type(preference: Sequence[str]) -> Strategy:
    """Put locations of preferred types of stores first, best first; the others follow in their own order."""
    ranks = {name.strip().lower(): rank for rank, name in reversed(list(enumerate(preference)))}

    def order(locations: Sequence[L]) -> list[L]:
        return sorted(locations, key=lambda location: ranks.get(_type_of(location.url), len(preference)))
    return order


def _type_of(url: str) -> str:
    return SCHEMES.get(url.partition('://')[0].lower(), '')

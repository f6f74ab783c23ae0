"""In which order the locations of an image are read, where weights of stores do not decide.

Two strategies are built in; others are modules that the entry points ``glance.common.image_location_strategy.modules`` name:

* ``get_strategy_name()`` returns what ``location_strategy`` calls it by,
* ``init()`` is called once, when the strategy is chosen,
* ``get_ordered_locations(locations, uri_key='url')`` returns the locations, dictionaries with ``url`` and ``metadata``, in
  their order.
"""
import copy
import importlib.metadata
import logging
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any, Protocol, TypeVar

from oslo_config import cfg

from glance import exceptions
from glance.store.location import SCHEMES

LOG = logging.getLogger(__name__)

ENTRY_POINTS = 'glance.common.image_location_strategy.modules'
_BUILT_IN = ('location_order', 'store_type')
_FUNCTIONS = ('get_strategy_name', 'init', 'get_ordered_locations')


class Located(Protocol):
    """What has a location: its URL, and what the store wants remembered with it."""

    url: str
    metadata: dict[str, Any]


L = TypeVar('L', bound=Located)
Strategy = Callable[[Sequence[L]], list[L]]


def from_conf(conf: cfg.ConfigOpts) -> Strategy:
    """Return the strategy that ``location_strategy`` names; it sorts copies and keeps the order of equals.

    Raises ConfigurationError when there is none of this name.
    """
    name = conf.location_strategy
    if name == 'store_type':
        return by_store_type(conf.store_type_location_strategy.store_type_preference)
    if name == 'location_order':
        return list
    modules = _installed()
    if name not in modules:
        raise exceptions.ConfigurationError('[DEFAULT] location_strategy = %s is not installed; use one of: %s.'
                                            % (name, ', '.join(sorted({*_BUILT_IN, *modules}))))
    try:
        modules[name].init()
    except Exception as error:
        raise exceptions.ConfigurationError('[DEFAULT] location_strategy = %s cannot be used: %s: %s.'
                                            % (name, type(error).__name__, error)) from error
    return by_module(modules[name])


def by_store_type(preference: Sequence[str]) -> Strategy:
    """Put locations of preferred types of stores first, best first; the others follow in their own order."""
    ranks = {name.strip().lower(): rank for rank, name in reversed(list(enumerate(preference)))}

    def order(locations: Sequence[L]) -> list[L]:
        return sorted(locations, key=lambda location: ranks.get(_type_of(location.url), len(preference)))
    return order


def by_module(module: ModuleType) -> Strategy:
    """Let a module decide. Locations that it leaves out come last, and when it fails the order is the given one."""
    def order(locations: Sequence[L]) -> list[L]:
        given = [{'url': location.url, 'metadata': location.metadata} for location in locations]
        try:
            wanted = list(module.get_ordered_locations(copy.deepcopy(given)))
        except Exception:
            LOG.exception('The location strategy %s failed; locations are read in their own order.', module.__name__)
            return list(locations)
        places: list[int] = []
        for location in wanted:
            place = next((i for i, each in enumerate(given) if i not in places and each == location), None)
            if place is not None:
                places.append(place)
        return [locations[i] for i in (*places, *(i for i in range(len(given)) if i not in places))]
    return order


def _installed() -> dict[str, ModuleType]:
    """Return the modules of the entry points by the names of their strategies; what cannot be imported is logged."""
    found = {}
    for point in importlib.metadata.entry_points(group=ENTRY_POINTS):
        try:
            module = point.load()
            missing = [name for name in _FUNCTIONS if not callable(getattr(module, name, None))]
            if missing:
                raise AttributeError('it lacks the function %s' % ', '.join(missing))
            found[module.get_strategy_name()] = module
        except Exception as error:
            LOG.warning('The location strategy of the entry point %s cannot be used: %s', point.name, error)
    return found


def _type_of(url: str) -> str:
    return SCHEMES.get(url.partition('://')[0].lower(), '')

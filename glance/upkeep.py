"""The environment of a process that serves the API, with the work on its cache that goes on beside requests."""
import dataclasses

from oslo_config import cfg

from glance import environment, gateway
from glance.cache import building
from glance.cache.prefetcher import Keeper, Prefetcher
from glance.environment import Environment
from glance.metrics.recorder import Metrics


def build(conf: cfg.ConfigOpts, metrics: Metrics | None = None) -> Environment:
    """Make the environment of this process from its configuration. Raises ConfigurationError."""
    env = environment.build(conf, metrics)
    if env.cache is None:
        return env
    keeper = Keeper(env.cache, prefetcher(env), conf.cache_prefetcher_interval, lambda: building.migrate(conf, env.cache))
    return dataclasses.replace(env, keeper=keeper)


def prefetcher(env: Environment) -> Prefetcher:
    """Return what fetches images into the cache of this process, which must have one."""
    return Prefetcher(env.cache, lambda: gateway.service_images(env), env.stores.in_reading_order)

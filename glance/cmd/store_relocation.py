"""``glance-manage store copy`` and ``store move``: the data of images from one store to another; ``db locations-relabel``.

Exit codes: 0 everything is as it should be; 1 refused or failed; 3 something was left, by an interruption also.
"""
import argparse
import collections
import contextlib
import dataclasses
import itertools
import json
import re
import signal
import sys
from collections.abc import Iterator

from oslo_config import cfg

from glance import environment, exceptions
from glance.cmd import store_tool
from glance.notify.notifier import Notifier
from glance.relocation.batch import Batch
from glance.relocation.copier import Copier, Orders, Outcome
from glance.relocation.journal import Journal
from glance.relocation.pace import Pace
from glance.relocation.relabel import Relabelling
from glance.store.backends import Backends, title
from glance.store.base import Capability, Store
from glance.tasks import recovery
from glance.tasks.leases import LeaseKeeper

LEFT = 3
_RATE = re.compile(r'([0-9]{1,15})([KMG]?)', re.IGNORECASE)
_FACTORS = {'': 1, 'K': 1 << 10, 'M': 1 << 20, 'G': 1 << 30}
_WORDS = {'done': {'copy': 'copied', 'move': 'moved'}, 'planned': {'copy': 'to be copied', 'move': 'to be moved'},
          'present': {'copy': 'there already', 'move': 'there already'}, 'left': {'copy': 'left', 'move': 'left'}}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``copy`` and ``move`` to the command line."""
    parser.add_argument('--from', dest='source', required=True, metavar='STORE', help='the store that has the data (its '
                        'scheme where stores are unnamed)')
    parser.add_argument('--to', dest='target', required=True, metavar='STORE', help='the store that is to have it')
    parser.add_argument('--image', action='append', default=[], metavar='ID', help='only this image; can be given several '
                        'times')
    parser.add_argument('--owner', metavar='PROJECT', help='only images of this project')
    parser.add_argument('--all', action='store_true', help='all images of the store')
    parser.add_argument('--rate', type=_bytes, metavar='BYTES', help='read no more than so many bytes a second; K, M and G '
                        'stand for 2**10, 2**20 and 2**30')
    parser.add_argument('--dry-run', action='store_true', help='list what would be done')
    parser.add_argument('--resume', metavar='FILE', help='keep in this file how far it has come, and go on from there when '
                        'it exists; it is removed when nothing is left')
    parser.add_argument('--json', action='store_true', help='print one JSON object a line')


def add_batch_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``relabel`` to the command line."""
    parser.add_argument('--max-rows', type=int, metavar='N', help='change no more than so many locations; all by default')


def _bytes(text: str) -> int:
    match = _RATE.fullmatch(text)
    value = int(match[1]) * _FACTORS[match[2].upper()] if match else 0
    if not value:
        raise argparse.ArgumentTypeError('%r is no number of bytes, such as 500K or 20M' % text)
    return value


def copy(config: cfg.ConfigOpts) -> int:
    """Copy the data of images into another store, which they are then read from as well."""
    return _relocate(config, 'copy')


def move(config: cfg.ConfigOpts) -> int:
    """Move the data of images to another store: copy it, and remove it from the old one."""
    return _relocate(config, 'move')


def relabel(config: cfg.ConfigOpts) -> int:
    """Write into the records of locations which store they are in, where that is missing or wrong."""
    command = config.command
    if command.max_rows is not None and command.max_rows < 1:
        raise exceptions.ConfigurationError('--max-rows %d must be 1 or more.' % command.max_rows)
    with store_tool.opened(config) as (database, stores):
        if not stores.multiple:
            raise exceptions.ConfigurationError('[DEFAULT] enabled_backends is not set: stores have no names that could be '
                                                'written into records.')
        left = number = 0
        for found in itertools.islice(Relabelling(database, stores, command.dry_run).run(), command.max_rows):
            number += 1
            left += found.reason is not None
            print('image %s, %s: %s -> %s%s' % (found.image_id, found.url, found.former or 'no store', found.store,
                                               ': ' + found.reason if found.reason else ''), flush=True)
    print('%d locations %s, %d left' % (number - left, 'would be relabelled' if command.dry_run else 'relabelled', left))
    return LEFT if left else 0


def _relocate(config: cfg.ConfigOpts, action: str) -> int:
    command = config.command
    if not (command.image or command.owner or command.all):
        raise exceptions.ConfigurationError('Say which images are meant: --image, --owner, or --all.')
    if command.all and (command.image or command.owner):
        raise exceptions.ConfigurationError('--all goes without --image and --owner.')
    signal.signal(signal.SIGTERM, _end)
    with store_tool.opened(config) as (database, stores), contextlib.closing(LeaseKeeper(database)) as held, \
            contextlib.closing(Notifier(config)) as notifier:
        source, target = _ends(stores, command)
        terms = {'action': action, 'from': command.source, 'to': command.target, 'owner': command.owner}
        journal = Journal(None if command.dry_run or command.image else command.resume, terms)
        orders = Orders(source, target, action == 'move', config.hashing_algorithm, config.image_location_quota,
                        config.delayed_delete, command.dry_run)
        copier = Copier(database, stores, held, orders, notifier, environment.make_quotas(config),
                        Pace(command.rate) if command.rate else None, _progress())
        if not command.dry_run:
            # What an interrupted run was working on has its lock still.
            recovery.recover(database, stores)
        batch = Batch(database, stores, copier, journal, source, command.image, command.owner)
        return LEFT if _report(batch.run(), action, command) else 0


def _end(number: int, frame: object) -> None:
    """End after cleaning up: what was not finished is left."""
    sys.exit(LEFT)


def _ends(stores: Backends, command: argparse.Namespace) -> tuple[Store, Store]:
    """Return the two stores. Raises UnknownStore, ConfigurationError for a pair that makes no sense."""
    every = {title(store): store for store in stores.enabled}
    for name in (command.source, command.target):
        if name not in every:
            raise exceptions.UnknownStore(name)
    source, target = every[command.source], every[command.target]
    if source is target:
        raise exceptions.ConfigurationError('--from and --to are both %s; name two stores.' % command.source)
    if not target.capabilities & Capability.WRITE:
        raise exceptions.ConfigurationError('--to %s: this store cannot be written to.' % command.target)
    if set(source.url_prefixes) & set(target.url_prefixes):
        raise exceptions.ConfigurationError('The stores %s and %s are one and the same place.'
                                            % (command.source, command.target))
    return source, target


def _progress():
    """Return what tells how far an image has come, where somebody watches."""
    if not sys.stderr.isatty():
        return lambda image_id, done, size: None

    def tell(image_id: str, done: int, size: int) -> None:
        print('image %s: %d of %d bytes' % (image_id, done, size), file=sys.stderr, flush=True)
    return tell


def _report(outcomes: Iterator[Outcome], action: str, command: argparse.Namespace) -> int:
    """Print what becomes of images, as it becomes known; return how many are left."""
    numbers, size = collections.Counter(), 0
    try:
        for outcome in outcomes:
            numbers[outcome.state] += 1
            size += outcome.size if outcome.state in ('done', 'planned') else 0
            print(json.dumps({'action': action, 'from': command.source, 'to': command.target, **dataclasses.asdict(outcome)})
                  if command.json else _line(outcome, action), flush=True)
    finally:
        summary = {**{state: numbers[state] for state in _WORDS}, 'bytes': size}
        print(json.dumps(summary) if command.json else ', '.join(
            '%d %s' % (numbers[state], words[action]) for state, words in _WORDS.items()) + '; %d bytes' % size, flush=True)
    return numbers['left']


def _line(outcome: Outcome, action: str) -> str:
    reason = ': %s' % outcome.reason if outcome.reason else ''
    return 'image %s, %d bytes: %s%s' % (outcome.image_id, outcome.size, _WORDS[outcome.state][action], reason)

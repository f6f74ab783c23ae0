"""``glance-manage store audit``: data without a record, and records without data.

Exit codes: 0 nothing is left; 1 refused or failed; 3 something was found and is still there.
"""
import argparse
import dataclasses
import json
import sys
from collections.abc import Iterator

from oslo_config import cfg

from glance import exceptions
from glance.cmd import store_tool
from glance.scrub.audit import STAGING, Audit, Finding
from glance.scrub.inventory import Inventory
from glance.store.backends import Backends, title
from glance.store.base import Store

FOUND = 3
LEAST_GRACE = 600       # seconds


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``audit`` to the command line."""
    parser.add_argument('--store', action='append', metavar='NAME', help='only this store (its scheme where stores are '
                        'unnamed; "staging" is the staging area of this node); can be given several times')
    parser.add_argument('--delete-orphans', action='store_true', help='remove data without a record')
    parser.add_argument('--remove-dead-records', action='store_true', help='remove locations without data, and images '
                        'that have no other')
    parser.add_argument('--grace', type=int, default=3600, metavar='SECONDS', help='leave data alone that is younger; '
                        f'3600 by default, {LEAST_GRACE} at least')
    parser.add_argument('--resume', metavar='FILE', help='keep the state of the audit in this file, and go on from there '
                        'when it exists; it is removed at the end')
    parser.add_argument('--force', action='store_true', help='remove records even when most of those of a store have no '
                        'data')
    parser.add_argument('--json', action='store_true', help='print one JSON object a line')


def audit(config: cfg.ConfigOpts) -> int:
    """Compare stores with records: list data without a record and records without data, and remove them on request."""
    command = config.command
    if command.grace < LEAST_GRACE:
        raise exceptions.ConfigurationError('--grace %d is too short: uploads take time between data and record; give %d '
                                            'seconds or more.' % (command.grace, LEAST_GRACE))
    with store_tool.opened(config) as (database, stores):
        named = _chosen(stores, command.store)
        inventory = Inventory(command.resume, {'stores': {name: store.details for name, store in named.items()}})
        finished = False
        try:
            work = Audit(database, stores, inventory, command.grace, delete=command.delete_orphans,
                         forget=command.remove_dead_records, force=command.force)
            left = _report(work.run(named), command.json)
            finished = True
        finally:
            inventory.close(finished)
    return FOUND if left else 0


def _chosen(stores: Backends, names: list[str] | None) -> dict[str, Store]:
    """Return the stores that are meant, by what they are called; those that cannot be walked are an error when named."""
    every = {title(store): store for store in stores.enabled}
    if stores.staging is not None:
        every[STAGING] = stores.staging
    chosen = every
    if names:
        for name in names:
            if name not in every:
                raise exceptions.UnknownStore(name)
        chosen = {name: every[name] for name in dict.fromkeys(names)}
    walkable = {}
    for name, store in chosen.items():
        try:
            next(iter(store.walk()), None)
        except exceptions.WalkNotSupported:
            if names:
                raise exceptions.ConfigurationError('Store %s cannot be audited: it cannot list what it holds.'
                                                    % name) from None
            print('Store %s is left out: it cannot list what it holds.' % name, file=sys.stderr)
        except exceptions.StoreUnavailable as error:
            raise exceptions.ConfigurationError('Store %s cannot be audited: %s' % (name, error)) from None
        else:
            walkable[name] = store
    return walkable


def _report(findings: Iterator[Finding], as_json: bool) -> int:
    """Print what is found, as it is found; return how much of it is left."""
    number = left = size = 0
    for finding in findings:
        number += 1
        left += finding.state != 'removed'
        size += finding.size or 0 if finding.kind == 'orphan' else 0
        print(json.dumps(dataclasses.asdict(finding)) if as_json else _line(finding), flush=True)
    summary = {'findings': number, 'left': left, 'orphaned_bytes': size}
    print(json.dumps(summary) if as_json else '%(findings)d findings, %(left)d of them left; %(orphaned_bytes)d bytes without '
          'a record' % summary)
    return left


def _line(finding: Finding) -> str:
    what = 'no record' if finding.kind == 'orphan' else 'no data'
    reason = ': %s' % finding.reason if finding.reason else ''
    return '%s: store %s, image %s, %s, %s bytes; %s%s' % (
        what, finding.store, finding.image_id or '?', finding.url, '?' if finding.size is None else finding.size,
        finding.state, reason)

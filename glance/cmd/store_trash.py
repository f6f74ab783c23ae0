"""``glance-manage store rbd-trash``: images that were deleted while clones in the same Ceph cluster still used them.

Exit codes: 0 done, though some may have to stay; 1 refused or failed.
"""
import argparse
import contextlib

from oslo_config import cfg

from glance import exceptions
from glance.store.backends import Backends, title

_SCHEME = 'rbd'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``rbd-trash`` to the command line."""
    parser.add_argument('--store', action='append', metavar='NAME', help='only this store (its scheme where stores are '
                        'unnamed); can be given several times')
    parser.add_argument('--dry-run', action='store_true', help='only list what is in the trash')


def rbd_trash(config: cfg.ConfigOpts) -> int:
    """Remove images for good that went to the trash of a Ceph pool when they were deleted, unless clones still use them."""
    command = config.command
    with contextlib.closing(Backends(config, reserved=False)) as stores:
        named = {title(store): store for store in stores.enabled if _SCHEME in store.schemes}
        for name in command.store or ():
            if name not in named:
                raise exceptions.ConfigurationError('--store %s is no store of type rbd; these are: %s.'
                                                    % (name, ', '.join(named) or 'none'))
        for name in command.store or named:
            for image in named[name].inner.purge_trash(command.dry_run):
                state = 'in the trash' if command.dry_run else 'removed' if image.purged else 'still in use'
                print('store %s, image %s: %s' % (name, image.name, state))
    return 0

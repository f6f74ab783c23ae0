"""The commands of ``glance-replicator``, each from its arguments to an exit code.

Every one can be repeated: what is done is left alone, what is missing is brought. One image that fails does not keep
the others from being treated; the exit code is 1 then.
"""
import dataclasses
import logging
from collections.abc import Callable, Iterable, Iterator

from glance.replication.data import verified
from glance.replication.dump import Dump
from glance.replication.errors import ImageFailed, Taken
from glance.replication.image import FORMATS, Image, changes, differences, writable
from glance.replication.progress import Progress, human
from glance.replication.service import Service

LOG = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, slots=True)
class Options:
    """How to replicate.

    ``chunk_size`` is in bytes. Attributes that are ``ignored`` are neither copied nor compared. ``only_records`` leaves
    the data out. ``differences_fail`` lets ``compare`` return 1 when it has found some.
    """

    chunk_size: int = 65536
    ignored: tuple[str, ...] = ()
    only_records: bool = False
    differences_fail: bool = False


def size(service: Service) -> int:
    """Print how much data the active images of a service have."""
    sizes = [image.get('size') or 0 for image in service.images() if image['status'] == 'active']
    print('Total size is %d bytes (%s) across %d images' % (sum(sizes), human(sum(sizes)), len(sizes)))
    return 0


def dump(service: Service, directory: str, options: Options) -> int:
    """Write images to a directory: what is there already stays as it is."""
    target = Dump(directory)
    target.create()

    def dump_one(image: Image) -> bool:
        wants_data = image['status'] == 'active' and not options.only_records and not target.has_data(image['id'])
        wants_record = not target.has_record(image['id'])
        if wants_data:
            with _shown(image) as progress:
                target.fetch(service, image, options.chunk_size, progress)
        if wants_record:
            target.write_record(image)
        return wants_data or wants_record

    return _for_each('dumped', service.images(), dump_one)


def load(service: Service, directory: str, options: Options) -> int:
    """Bring the images of a directory to a service."""
    source = Dump(directory)

    def load_one(image_id: str) -> bool:
        image = source.read_record(image_id)
        has_data = source.has_data(image_id)
        return _bring(service, image, has_data, lambda: source.read_data(image_id, options.chunk_size), options)

    return _for_each('loaded', source.ids(), load_one)


def livecopy(source: Service, target: Service, options: Options) -> int:
    """Bring the images of a service to another one."""
    def copy_one(image: Image) -> bool:
        def chunks() -> Iterator[bytes]:
            with source.open(image, options.chunk_size) as (_, data):
                yield from data
        return _bring(target, image, image['status'] == 'active', chunks, options)

    return _for_each('copied', source.images(), copy_one)


def compare(source: Service, target: Service, options: Options) -> int:
    """Log what differs between two services."""
    count = 0
    for image in source.images():
        found = target.find(image['id'])
        if found is None:
            if image['status'] == 'active':
                count += 1
                LOG.warning('Image %s (%s) is missing at %s', image['id'], image.get('name'), target.address)
            continue
        for name in differences(image, found, options.ignored):
            count += 1
            LOG.warning('Image %s: %s is %r at %s and %r at %s', image['id'], name, image.get(name), source.address,
                        found.get(name), target.address)
    print('%d differences found' % count if count else 'No differences found')
    return 1 if count and options.differences_fail else 0


def _bring(target: Service, image: Image, has_data: bool, chunks: Callable[[], Iterable[bytes]], options: Options) -> bool:
    """Make the image at the target like this one; return whether there was something to do."""
    with_data = has_data and not options.only_records
    present = target.find(image['id'])
    if present is None:
        if not with_data:
            LOG.debug('Image %s has no data; it is left out', image['id'])
            return False
        with _shown(image) as progress:
            target.add(image, writable(image, options.ignored), verified(image, chunks(), progress))
    elif with_data and present['status'] == 'queued':
        with _shown(image) as progress:
            target.fill(image, verified(image, chunks(), progress))
    elif with_data and present['status'] not in ('active', 'deactivated'):
        raise ImageFailed('Image %s is %s at %s: somebody else is working on it.'
                          % (image['id'], present['status'], target.address))
    elif with_data and _has_other_data(image, present):
        raise ImageFailed('Image %s has other data at %s, which is not replaced.' % (image['id'], target.address))
    has_new_record = _align(target, image, options)
    return has_new_record or present is None or (with_data and present['status'] == 'queued')


def _has_other_data(image: Image, present: Image) -> bool:
    return any(name in ('size', 'checksum', 'os_hash_value') and image.get(name) is not None and present.get(name) is not None
               for name in differences(image, present))


def _align(target: Service, image: Image, options: Options) -> bool:
    """Make the record at the target like this one; return whether something was changed."""
    present = target.find(image['id'])
    if present is None:
        raise ImageFailed('Image %s was deleted at %s.' % (image['id'], target.address))
    wanted = changes(image, present, options.ignored)
    for name in FORMATS:
        if name in wanted and present['status'] != 'queued':
            del wanted[name]
            LOG.warning('Image %s: %s is %r instead of %r at %s; it cannot be changed any more', image['id'], name,
                        present.get(name), image.get(name), target.address)
    if wanted:
        target.update(present, wanted)
    return bool(wanted)


def _for_each(done: str, items: Iterable, action: Callable[..., bool]) -> int:
    """Treat one image after the other and print how many of them had to be and could be; returns the exit code."""
    total = changed = failed = 0
    for item in items:
        image_id = item if isinstance(item, str) else item['id']
        total += 1
        try:
            if action(item):
                changed += 1
                LOG.info('Image %s: %s', image_id, done)
        except Taken as error:
            LOG.warning('Image %s exists and is not visible with this token; it is left out. %s', image_id, error)
        except ImageFailed as error:
            failed += 1
            LOG.error('Image %s: %s', image_id, error)
    print('%d of %d images %s%s' % (changed, total, done, ', %d failed' % failed if failed else ''))
    return 1 if failed else 0


def _shown(image: Image) -> Progress:
    return Progress('%s %s' % (image['id'], image.get('name') or ''), image.get('size'))

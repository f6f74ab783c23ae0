"""Lists of the cache as tables for a terminal."""
import datetime
from collections.abc import Sequence
from typing import Any


def cached(images: Sequence[dict[str, Any]]) -> str:
    """A table of cached images, as the API describes them."""
    rows = [(image['image_id'], _moment(image['last_accessed']), _moment(image['last_modified']), str(image['size']),
             str(image['hits'])) for image in images]
    return _table(('ID', 'Last Accessed (UTC)', 'Last Modified (UTC)', 'Size', 'Hits'), rows, right=(3, 4))


def queued(image_ids: Sequence[str]) -> str:
    """A table of ids."""
    return _table(('ID',), [(image_id,) for image_id in image_ids])


def _moment(seconds: float) -> str:
    if not seconds:
        return 'N/A'
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).replace(tzinfo=None).isoformat()


def _table(titles: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> str:
    widths = [max(map(len, column)) for column in zip(titles, *rows, strict=True)]
    line = '+%s+' % '+'.join('-' * (width + 2) for width in widths)

    def row(cells: Sequence[str]) -> str:
        padded = [cell.rjust(width) if index in right else cell.ljust(width)
                  for index, (cell, width) in enumerate(zip(cells, widths, strict=True))]
        return '| %s |' % ' | '.join(padded)
    return '\n'.join([line, row(titles), line, *map(row, rows), line])

"""Data that is in several places, of which the first that can be read is."""
from collections.abc import Callable, Iterable

from glance import exceptions
from glance.store.base import Reader


class FirstReadable:
    """A ``store.base.Reader`` of the first place that can be opened, or of a later one when that fails at once.

    Once a byte was delivered the place is kept: the next one might hold other data.

    :param openers: names of the places and what opens them; what the last of them raises is raised
    :raises ObjectNotFound: when there is no place at all, or no data in any of them
    """

    def __init__(self, openers: Iterable[tuple[str, Callable[[], Reader]]]):
        self._openers = iter(openers)
        self._delivered = False
        self.place = ''
        """The name of the place that is read."""
        self._reader = self._next(exceptions.ObjectNotFound())
        self.offset, self.length = self._reader.offset, self._reader.length

    def readinto(self, buffer: memoryview) -> int:
        """Read as a Reader does; before the first byte a place that fails is left for the next one."""
        while True:
            try:
                count = self._reader.readinto(buffer)
            except exceptions.GlanceError as error:
                if self._delivered:
                    raise
                self._reader.close()
                self._reader = self._next(error)
            else:
                self._delivered = self._delivered or count > 0
                return count

    def fileno(self) -> int | None:
        return self._reader.fileno()

    def close(self) -> None:
        self._reader.close()

    def _next(self, error: exceptions.GlanceError) -> Reader:
        for place, opener in self._openers:
            self.place = place
            try:
                return opener()
            except exceptions.GlanceError as failure:
                # That there is no data may be said only when there is none in any place.
                if isinstance(error, exceptions.ObjectNotFound) or not isinstance(failure, exceptions.ObjectNotFound):
                    error = failure
        raise error

"""How many transfers a worker serves at the same time: of everybody together, and of each project."""
import collections
import contextlib
import threading
from collections.abc import Iterator

from glance import exceptions


class Turns:
    """Counts the transfers of one direction.

    :param total: the most of all projects; 0 for no limit
    :param of_project: the most of one project; 0 for no limit
    """

    def __init__(self, total: int = 0, of_project: int = 0):
        self._total, self._of_project = total, of_project
        self._running: collections.Counter[str | None] = collections.Counter()
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def turn(self, project: str | None) -> Iterator[None]:
        """Count a transfer of the project while the block runs.

        :raises TooManyOfProject: the project has as many as it may have
        :raises TooManyTransfers: the worker has
        """
        with self._lock:
            if self._of_project and self._running[project] >= self._of_project:
                raise exceptions.TooManyOfProject()
            if self._total and self._running.total() >= self._total:
                raise exceptions.TooManyTransfers()
            self._running[project] += 1
        try:
            yield
        finally:
            with self._lock:
                self._running[project] -= 1
                self._running += collections.Counter()  # forgets projects with none

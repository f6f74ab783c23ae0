"""Malformed containers: an error or a warning, as the operator wants it."""
import logging

from glance.inspect import checks

LOG = logging.getLogger(__name__)


class Problems:
    """Takes note of what is wrong with a container.

    :param container: container format as the API knows it
    :param reject: whether a problem is an error; else it is logged, once for each check
    """

    def __init__(self, container: str, reject: bool):
        self._container = container
        self._reject = reject
        self._known: set[str] = set()

    def add(self, check: str) -> None:
        """Note that a check failed. Raises InvalidImageData if that is an error."""
        if self._reject:
            raise checks.refusal(self._container, check)
        if check not in self._known:
            self._known.add(check)
            LOG.warning('The container of an image in format %s is malformed: %s', self._container, check)

    def unsafe(self, check: str) -> None:
        """Raises InvalidImageData in any case."""
        raise checks.refusal(self._container, check)

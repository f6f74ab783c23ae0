"""How far a long relocation has come, in a file, so that an interrupted one goes on where it was."""
import json
import os

from glance import exceptions


class Journal:
    """The last record that was looked at, and the images that are still to be done before it.

    :param path: of the file; None keeps nothing
    :param terms: what a relocation that goes on must have in common with the one before
    :raises ConfigurationError: the file is something else, or of another relocation
    """

    def __init__(self, path: str | None, terms: dict[str, object]):
        self._path, self._terms = path, terms
        self.after = 0
        """The highest id of a location that was looked at."""
        self.left: set[str] = set()
        """Images that could not be done."""
        if path is not None and os.path.exists(path):
            self._load(path)

    def save(self) -> None:
        """Write the file as a whole."""
        if self._path is None:
            return
        draft = self._path + '.new'
        try:
            with open(draft, 'w', encoding='utf-8') as file:
                json.dump({'terms': self._terms, 'after': self.after, 'left': sorted(self.left)}, file)
                file.flush()
                os.fsync(file.fileno())
            os.replace(draft, self._path)
        except OSError as error:
            raise exceptions.ConfigurationError('--resume: the file %s cannot be written: %s.'
                                                % (self._path, error.strerror)) from None

    def finish(self) -> None:
        """Remove the file when everything is done."""
        if self._path is not None and not self.left and os.path.exists(self._path):
            os.unlink(self._path)

    def _load(self, path: str) -> None:
        try:
            with open(path, encoding='utf-8') as file:
                content = json.load(file)
            terms, after, left = content['terms'], int(content['after']), set(map(str, content['left']))
        except (OSError, ValueError, KeyError, TypeError):
            raise exceptions.ConfigurationError('--resume: %s is not the file of a relocation; name another one.'
                                                % path) from None
        if terms != self._terms:
            raise exceptions.ConfigurationError('--resume: the file %s is of a relocation with other arguments: %s; name '
                                                'another file, or remove it.' % (path, json.dumps(terms, sort_keys=True)))
        self.after, self.left = after, left

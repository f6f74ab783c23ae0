"""The digests of a transfer: MD5, which old clients compare, and the configurable multihash."""
import hashlib

from glance import exceptions


class Digest:
    """A running digest, usable as a sink of a transfer.

    :param algorithm: name as hashlib knows it
    :raises Invalid: for an unknown name, and for functions whose digest has no fixed length
    """

    def __init__(self, algorithm: str):
        try:
            # Checksums of images find damage and identify content; a FIPS build may not refuse them for that.
            self._hash = hashlib.new(algorithm, usedforsecurity=False)
        except (ValueError, TypeError):
            raise exceptions.Invalid('The hash algorithm %r is not known; set hashing_algorithm to a name such as '
                                     'sha512' % (algorithm,)) from None
        if not self._hash.digest_size:
            raise exceptions.Invalid('The hash algorithm %r has no fixed length; set hashing_algorithm to a name such '
                                     'as sha512' % (algorithm,))
        self.name = algorithm
        # hashlib releases the interpreter lock while it works on a block, so digests in threads run side by side.
        self.update = self._hash.update

    def finish(self) -> None:
        """Part of the interface of a sink."""

    def hexdigest(self) -> str:
        """The digest of what came so far, in lower-case hexadecimal digits."""
        return self._hash.hexdigest()


class Digests:
    """MD5 and the multihash of one transfer; a single digest when they are the same."""

    def __init__(self, algorithm: str):
        self.algorithm = algorithm
        self._multihash = Digest(algorithm)
        self._md5 = self._multihash if algorithm == 'md5' else Digest('md5')

    @property
    def sinks(self) -> tuple[Digest, ...]:
        """What takes the bytes."""
        return (self._md5,) if self._md5 is self._multihash else (self._md5, self._multihash)

    @property
    def md5(self) -> str:
        """The MD5 of what came so far."""
        return self._md5.hexdigest()

    @property
    def multihash(self) -> str:
        """The multihash of what came so far."""
        return self._multihash.hexdigest()

"""What the bytes of an image are known to be."""
import dataclasses

from glance.domain.image import Image
from glance.domain.properties import UNVERIFIED_HASH

# The hash that an image without any gets when it is cached, to know its bytes again.
OWN_ALGORITHM = 'sha256'


@dataclasses.dataclass(frozen=True, slots=True)
class Content:
    """The data of an image: its size in bytes and the digest to verify it by, None when no digest of it is known.

    ``checksum`` is the MD5 digest that lists of the cache show.
    """

    image_id: str
    size: int
    algorithm: str | None = None
    digest: str | None = None
    checksum: str | None = None

    @classmethod
    def of(cls, image: Image) -> 'Content':
        """What the record of an image says. A hash that nobody verified when it was given says nothing."""
        if image.os_hash_value and UNVERIFIED_HASH not in image.extra_properties:
            return cls(image.image_id, image.size or 0, image.os_hash_algo, image.os_hash_value, image.checksum)
        if image.checksum:
            return cls(image.image_id, image.size or 0, 'md5', image.checksum, image.checksum)
        return cls(image.image_id, image.size or 0)

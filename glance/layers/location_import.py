"""The part of adding a location that takes time: looking at the data, and hashing it.

The image belongs to this work as long as its lease is held: it is ``importing`` until it has the location, and carries the
lock property until the hashes are known. Whatever goes wrong before it is active makes it ``queued`` again, as it was.
"""
import logging

from glance import exceptions
from glance.domain.image import Image
from glance.domain.location import NewLocation, Validation
from glance.domain.properties import IMPORT_LOCK, UNVERIFIED_HASH
from glance.environment import Environment
from glance.layers import admission
from glance.layers.admission import Admission
from glance.layers.base import Images
from glance.store.location import redact
from glance.tasks.leases import Lease
from glance.transfer.pipeline import Result

LOG = logging.getLogger(__name__)

# Seconds before data that could not be read is tried again, doubled each time.
RETRY_SECONDS = 0.5


class LocationImport:
    """One location on its way into one image.

    :param images: the layers that store and tell what happens
    :param image: in status ``importing``, with the lock; nobody else uses this object
    """

    def __init__(self, images: Images, env: Environment, admission: Admission, image: Image, new: NewLocation, lease: Lease):
        self._images, self._env, self._admission = images, env, admission
        self._image, self._new, self._lease = image, new, lease
        self._location = new.location()

    def run(self) -> None:
        """Do the work; raises nothing."""
        try:
            hash_later = self._add()
        except exceptions.ImageGone:
            LOG.info('Image %s was deleted; the data at its location is not looked at.', self._image.image_id)
        except Exception as error:
            self._log(error, 'the image is queued again')
            self._revert()
        else:
            if hash_later:
                self._hash()

    def _add(self) -> bool:
        """Make the image active; return whether its data is still to be hashed."""
        image, validation = self._image, self._new.validation
        self._admission.admit(image, self._location)
        secure = self._env.conf.do_secure_hash
        if secure and validation:
            self._verify(validation)
        elif validation:
            image.os_hash_algo, image.os_hash_value = validation.os_hash_algo, validation.os_hash_value
            image.extra_properties[UNVERIFIED_HASH] = 'true'
        hash_later = secure and not validation
        image.locations.append(self._location)
        image.set_status('active')
        self._finish(goes_on=hash_later)
        return hash_later

    def _verify(self, validation: Validation) -> None:
        result = self._digests(validation.os_hash_algo)
        if not admission.matches(result, validation):
            raise exceptions.Invalid('The data at the location does not have the hash that was announced.')
        self._keep(result)

    def _hash(self) -> None:
        """Hash the data of the active image; without success it just stays without hashes."""
        try:
            self._keep(self._digests(self._env.conf.hashing_algorithm))
        except exceptions.ImageGone:
            LOG.info('Image %s was deleted while its data was hashed.', self._image.image_id)
            return
        except Exception as error:
            self._log(error, 'the image stays without checksum and hash')
        try:
            self._finish()
        except exceptions.GlanceError as error:
            self._log(error, 'the image stays without checksum and hash')

    def _keep(self, result: Result) -> None:
        self._image.checksum = result.md5
        self._image.os_hash_algo, self._image.os_hash_value = result.hash_algo, result.hash_value

    def _digests(self, algorithm: str) -> Result:
        for attempt in range(self._env.conf.http_retries):
            try:
                return admission.digests(self._env, self._image, self._location, algorithm, self._check_going_on)
            except (exceptions.StoreError, exceptions.SizeMismatch) as error:
                self._log(error, 'it is tried again')
            self._env.background.pause(RETRY_SECONDS * 2 ** attempt)
        return admission.digests(self._env, self._image, self._location, algorithm, self._check_going_on)

    def _check_going_on(self, done: int) -> None:
        self._env.background.check()
        self._images.check_uploading(self._image)

    def _finish(self, goes_on: bool = False) -> None:
        if not goes_on:
            self._image.extra_properties.pop(IMPORT_LOCK, None)
        try:
            self._images.finish_work(self._image, self._lease, goes_on)
        except exceptions.ImageNotFound:
            raise exceptions.ImageGone(self._image.image_id) from None

    def _revert(self) -> None:
        image = self._image
        image.locations = list(image.loaded.locations)
        image.status = 'importing'
        image.set_status('queued')
        image.extra_properties.pop(UNVERIFIED_HASH, None)
        try:
            self._finish()
        except exceptions.GlanceError as error:
            self._log(error, 'the image is left to recovery')

    def _log(self, error: Exception, consequence: str) -> None:
        expected = isinstance(error, exceptions.GlanceError)
        LOG.warning('Task %s: the location %s of image %s cannot be used, %s: %s', self._lease.attempt,
                    redact(self._new.url), self._image.image_id, consequence, error, exc_info=None if expected else error)

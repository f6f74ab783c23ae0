"""Every error that the service raises on purpose.

Nothing here knows HTTP: ``glance.wsgi.faults`` holds the one table from these classes to status codes. The text of an
error is written for the person who caused it and says what to change; it never carries credentials, file names of the
host or text of a backend.
"""


class GlanceError(Exception):
    """Base of all errors of the service. ``str(error)`` is a sentence fit for the client."""

    message = 'An unknown error occurred.'

    def __init__(self, message: str | None = None):
        super().__init__(message or self.message)


class ConfigurationError(GlanceError):
    """A start is refused: an option, a file or a combination of them is wrong. Names option, value and file."""

    message = 'The configuration is not valid.'


class StoreConfigurationError(ConfigurationError):
    """The options of a store do not describe one that can be used."""


# What does not exist, or must look so.

class NotFound(GlanceError):
    message = 'The resource does not exist.'


class ImageNotFound(NotFound):
    def __init__(self, image_id: str):
        super().__init__('No image found with ID %s' % image_id)


class MemberNotFound(NotFound):
    def __init__(self, image_id: str, member: str):
        super().__init__('Project %s is not a member of image %s' % (member, image_id))


class TagNotFound(NotFound):
    def __init__(self, image_id: str, tag: str):
        super().__init__('Image %s has no tag %r' % (image_id, tag))


class LocationNotFound(NotFound):
    def __init__(self, image_id: str, location_id: int):
        super().__init__('Image %s has no location %s' % (image_id, location_id))


# What exists and may not be done by this caller, or by nobody.

class NotAuthenticated(GlanceError):
    message = 'You are not authenticated.'


class Forbidden(GlanceError):
    message = 'You are not authorized to complete this action.'


class ProtectedImageDelete(Forbidden):
    def __init__(self, image_id: str):
        super().__init__('Image %s is protected and cannot be deleted; set protected to false first' % image_id)


class ReadonlyProperty(Forbidden):
    def __init__(self, name: str):
        super().__init__('Attribute %r is read-only.' % name)


class ProtectedProperty(Forbidden):
    """Says the same of properties that exist and of those that do not: the caller may not be allowed to know."""

    def __init__(self, name: str):
        super().__init__('Property %r is protected; you are not permitted to write it.' % name)


class ReservedProperty(Forbidden):
    def __init__(self, name: str):
        super().__init__('Attribute %r is reserved.' % name)


# What is malformed.

class Invalid(GlanceError):
    message = 'The request is not valid.'


class InvalidImageStatusTransition(Invalid):
    def __init__(self, current: str, wanted: str):
        super().__init__('Image status transition from %s to %s is not allowed' % (current, wanted))
        self.current, self.wanted = current, wanted


class InvalidSortKey(Invalid):
    message = 'The sort key is not valid.'


class InvalidFilter(Invalid):
    message = 'The filter is not valid.'


class InvalidMarker(Invalid):
    def __init__(self, marker: str):
        super().__init__('The marker %r is not the ID of an image in this list' % marker)


class InvalidImageData(GlanceError):
    """The bytes are not what the image's format attributes promise, or are unsafe."""

    message = 'The data is not valid for the format of the image.'


class SignatureVerificationError(Invalid):
    def __init__(self, image_id: str, reason: str):
        super().__init__('Signature verification failed for image %s: %s' % (image_id, reason))


class SizeMismatch(Invalid):
    def __init__(self, expected: int, got: int):
        super().__init__('The request announced %d bytes of data and delivered %d' % (expected, got))


class URIRefused(Invalid):
    """The filter of outgoing requests does not let a URI pass; ``uri`` is without credentials."""

    def __init__(self, uri: str):
        super().__init__('The URI does not pass filtering: %s' % uri)


# What collides with the present state.

class Conflict(GlanceError):
    message = 'The request conflicts with the present state of the resource.'


class Duplicate(Conflict):
    message = 'The resource exists already.'


class StatusConflict(Conflict):
    """A compare-and-set on the status of an image found another status."""

    def __init__(self, image_id: str, current: str, wanted: str):
        super().__init__('Image %s is in status %r; the operation needs status %r' % (image_id, current, wanted))
        self.current, self.wanted = current, wanted


class ChangedMeanwhile(Conflict):
    """The image is not as the caller saw it when he decided to change it."""

    def __init__(self, image_id: str):
        super().__init__('Image %s was changed meanwhile; load it and try again.' % image_id)


class LeaseLost(Conflict):
    """Another worker took over, or undid, what this one had begun with the image."""

    def __init__(self, image_id: str):
        super().__init__('The work on image %s took too long and was given up.' % image_id)


class ImageGone(GlanceError):
    """The image was deleted while the request was working on it."""

    def __init__(self, image_id: str):
        super().__init__('Image %s was deleted while its data was being uploaded' % image_id)


# What is too much.

class LimitExceeded(GlanceError):
    message = 'The request exceeds a limit.'


class ImageSizeLimitExceeded(LimitExceeded):
    def __init__(self, limit: int):
        super().__init__('The image is larger than %d bytes, the largest size that this service accepts' % limit)


class StorageQuotaFull(LimitExceeded):
    message = 'The data would exceed the storage quota.'


class OverLimit(LimitExceeded):
    """An owner would have more of a resource than is allowed; ``usage`` is without the ``delta`` that was asked for."""

    def __init__(self, resource: str, limit: int, usage: int, delta: int):
        super().__init__('%s is over limit of %d due to current usage %d and delta %d' % (resource, limit, usage, delta))
        self.resource, self.limit, self.usage, self.delta = resource, limit, usage, delta


class FetchFailed(GlanceError):
    """Data could not be fetched: ``reason`` is one of connect, encoding, redirect, timeout, tls, too-large,
    http-<status>."""

    def __init__(self, reason: str):
        super().__init__('The data could not be fetched (%s).' % reason)
        self.reason = reason


class RateExceeded(GlanceError):
    """Too much in too short a time; after ``retry_after`` seconds it may be tried again."""

    def __init__(self, rate: float, retry_after: int):
        super().__init__('The project may create %g images per second; try again in %d s.' % (rate, retry_after))
        self.retry_after = retry_after


# Where bytes are kept.

class StoreError(GlanceError):
    """A store could not do what it was asked. The text names no credential, path or host of the backend."""

    message = 'The image store failed.'


class ObjectNotFound(StoreError):
    """The object that a location names is not in the store."""

    message = 'The data of the image is not in the store.'


class ObjectExists(StoreError):
    message = 'The store holds data of this image already.'


class StoreFull(StoreError):
    message = 'Image storage media is full: there is not enough space for the data.'


class StoreWriteDenied(StoreError):
    message = 'The image store refuses to write; its permissions have to be corrected by the operator.'


class StoreReadOnly(StoreError):
    message = 'The image store is read-only.'


class StoreUnavailable(StoreError):
    message = 'The image store cannot be reached at the moment; try again later.'


class StoreForbidden(StoreError):
    """The backend refused the operation (an unlink that is not permitted, for example)."""

    message = 'The image store does not permit this operation.'


class ObjectInUse(StoreError):
    message = 'The data of the image is in use in its store.'


class RangeNotSupported(StoreError):
    message = 'The image store cannot deliver a part of an image.'


class WalkNotSupported(StoreError):
    message = 'The image store cannot list what it holds.'


class BadLocation(StoreError):
    message = 'The location is not valid.'


class UnknownStore(Invalid):
    def __init__(self, store: str):
        super().__init__('There is no store %r' % store)


class TooManyTransfers(GlanceError):
    message = 'The service has as many transfers as it may serve at the same time; try again later.'


class TooManyOfProject(GlanceError):
    message = 'The project has as many transfers as it may have at the same time; try again when one of them has ended.'


class TooSlow(GlanceError):
    """The data of an upload comes so slowly that it only keeps a place."""

    def __init__(self, rate: int):
        super().__init__('The data comes at less than %d bytes per second, which is too slow.' % rate)


class LimitsUnavailable(GlanceError):
    message = 'The limits of the project cannot be looked up at the moment; try again later.'


class KeyManagerError(GlanceError):
    """The key manager does not have a key or a certificate, or does not give it to this caller, or not now."""

    message = 'The key manager cannot be used at the moment; try again later.'


class CacheUnavailable(GlanceError):
    """The directory or the list of the image cache cannot be used. Its text is for operators, who alone see it."""

    message = 'The image cache of this node cannot be used at the moment.'


class DatabaseUnavailable(GlanceError):
    message = 'The database cannot be reached at the moment; try again later.'


class RegistryUnavailable(DatabaseUnavailable):
    """The records are kept by glance-registry, which is away, answers too late, or answers what makes no sense."""

    message = 'The registry of images cannot be reached at the moment; try again later.'


class RegistryFailed(DatabaseUnavailable):
    """glance-registry met an error of its own; its log has more under the id of the request."""

    message = 'The registry of images failed to carry out the request.'


class LocationUnreadable(GlanceError):
    """A stored location was encrypted with another key than the configured one, or damaged."""

    message = 'A location of the image cannot be decrypted; the operator has to correct metadata_encryption_key.'


class ClientDisconnected(GlanceError):
    """The client went away, or stalled past the socket timeout, before its body was complete."""

    message = 'The connection was closed before the request body was complete.'

"""What other services are told of images and their members.

These layers stand next to the records, below all checks and below the store: they tell what was committed, and nothing
of what was refused before anything was done.
"""
from glance import exceptions
from glance.db.interface import Removal
from glance.domain.image import Image
from glance.domain.member import Member
from glance.layers.base import Images, Members
from glance.notify import payloads
from glance.tasks.leases import Lease, utcnow


class NotifyImages(Images):
    """Tells each change once it is stored, how uploads go, and what was downloaded."""

    def add(self, image: Image) -> None:
        self.inner.add(image)
        self._tell('image.create', image)

    def save(self, image: Image, from_status: str | None = None) -> None:
        changed = bool(image.changes)
        former = image.loaded.status if image.loaded else None
        self.inner.save(image, from_status)
        if changed:
            self._tell('image.update', image)
        if (former, image.status) == ('active', 'deactivated'):
            self._tell('image.deactivate', image)
        elif (former, image.status) == ('deactivated', 'active'):
            self._tell('image.reactivate', image)

    def begin_work(self, image: Image, lease: Lease) -> None:
        self.inner.begin_work(image, lease)
        self._tell('image.update', image)

    def finish_work(self, image: Image, lease: Lease, goes_on: bool = False) -> None:
        self.inner.finish_work(image, lease, goes_on)
        self._tell('image.update', image)

    def finish_removal(self, image: Image, removal: Removal) -> None:
        self.inner.finish_removal(image, removal)
        self.env.notifier.info('image.delete', payloads.of_deleted_image(image, utcnow()), image.image_id)

    def begin_upload(self, image: Image, lease: Lease, store: str | None) -> None:
        self.inner.begin_upload(image, lease, store)
        self._tell('image.update', image)
        self.env.notifier.info('image.prepare', payloads.of_prepared_image(image, store), image.image_id)

    def finish_upload(self, image: Image, lease: Lease) -> None:
        self.inner.finish_upload(image, lease)
        self.env.notifier.info('image.upload', payloads.of_uploaded_image(image), image.image_id)
        self._tell('image.activate', image)
        self._tell('image.update', image)

    def abort_upload(self, image: Image, lease: Lease, error: BaseException) -> None:
        self.inner.abort_upload(image, lease, error)
        self.env.notifier.error('image.upload', _reason(error), image.image_id)
        # It may have been deleted meanwhile, or be left to recovery.
        if image.status == 'queued':
            self._tell('image.update', image)

    def end_download(self, image: Image, bytes_sent: int, length: int, destination_ip: str | None = None) -> None:
        self.inner.end_download(image, bytes_sent, length, destination_ip)
        tell = self.env.notifier.info if bytes_sent == length else self.env.notifier.error
        tell('image.send', payloads.of_sent_image(image, bytes_sent, self.context.project_id, self.context.user_id,
                                                  destination_ip), image.image_id)

    def _tell(self, event_type: str, image: Image) -> None:
        self.env.notifier.info(event_type, payloads.of_image(image), image.image_id)


def _reason(error: BaseException) -> str:
    """Why an upload failed: the text that its client gets, nothing of the service's inside."""
    if isinstance(error, exceptions.GlanceError):
        return str(error)
    return 'The upload failed because of an error inside the service.'


class NotifyMembers(Members):
    """Tells each change of a membership once it is stored."""

    def add(self, member: Member) -> None:
        self.inner.add(member)
        self._tell('image.member.create', payloads.of_member(member))

    def save(self, member: Member) -> None:
        self.inner.save(member)
        self._tell('image.member.update', payloads.of_member(member))

    def remove(self, member: Member) -> None:
        self.inner.remove(member)
        self._tell('image.member.delete', payloads.of_deleted_member(member, utcnow()))

    def _tell(self, event_type: str, payload: payloads.Payload) -> None:
        self.env.notifier.info(event_type, payload, self.image.image_id)

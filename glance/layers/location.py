"""Locations that come from outside: judged, and looked at, before an image has them."""
import contextlib
import copy

from glance import exceptions
from glance.domain.image import Image, Location
from glance.domain.location import NewLocation
from glance.domain.properties import IMPORT_LOCK
from glance.layers.admission import Admission, is_service
from glance.layers.base import Images
from glance.layers.location_import import LocationImport
from glance.store.location import scheme_of


class LocateImages(Images):
    """Admits new locations before they are stored, and begins the work with those that take time."""

    def save(self, image: Image, from_status: str | None = None) -> None:
        changes = image.changes
        admission = Admission(self.context, self.env)
        for location in changes.updated_locations:
            admission.name_store(location)
        for location in changes.added_locations:
            admission.admit(image, location)
        if changes.added_locations or changes.updated_locations:
            _check_different(image)
        if image.loaded is not None and image.loaded.status == 'active' and self.env.conf.verify_added_locations:
            for location in changes.added_locations:
                admission.verify(image, location)
        self.inner.save(image, from_status)

    def import_location(self, image: Image, location: NewLocation) -> None:
        self._check_scheme(location.url)
        problem = location.validation.problem() if location.validation else None
        if problem:
            raise exceptions.Invalid(problem)
        admission = Admission(self.context, self.env)
        admission.check(image, Location(location.url))
        admission.check_free(image, Location(location.url))
        holder = image.extra_properties.get(IMPORT_LOCK)
        if holder:
            raise exceptions.Conflict('Image %s is being worked on by task %s.' % (image.image_id, holder))
        with contextlib.ExitStack() as stack:
            lease = stack.enter_context(self.env.leases.hold(image.image_id))
            # The caller's own copy is not to change under his hands.
            work = copy.deepcopy(image)
            work.set_status('importing')
            work.extra_properties[IMPORT_LOCK] = lease.attempt
            self.inner.begin_work(work, lease)
            job = LocationImport(self.inner, self.env, admission, work, location, lease)
            held = stack.pop_all()
        self.env.background.submit(lambda: self._run(job, held))

    def _run(self, job: LocationImport, held: contextlib.ExitStack) -> None:
        # Some stores act with the rights of who asks, and lines of the log carry the id of the request.
        self.context.update_store()
        with held:
            job.run()

    def _check_scheme(self, url: str) -> None:
        if is_service(self.context):
            return
        try:
            scheme = scheme_of(url)
        except exceptions.BadLocation:
            scheme = None
        if scheme not in ('http', 'https') or not any(scheme in store.schemes for store in self.env.stores.enabled):
            raise exceptions.Forbidden('Only services may add such a location; others name http or https URLs, where the '
                                       'operator has enabled a store for them.')


def _check_different(image: Image) -> None:
    seen: list[tuple] = []
    for location in image.locations:
        if (location.url, location.metadata) in seen:
            raise exceptions.Invalid('The image has this location already.')
        seen.append((location.url, location.metadata))

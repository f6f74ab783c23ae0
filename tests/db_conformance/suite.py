"""Puts the mixins together with a TestCase that makes databases."""
from tests.db_conformance import caches, images, lists, members, races, removals, usage

MIXINS = (images.CreateAndGet, images.Update, images.Remove, images.Leases, removals.Removals, removals.Pending,
          removals.Objects, removals.References, members.Members, lists.Visibility, lists.Filters, lists.Pages,
          lists.OtherOwners, usage.Usage, usage.Charges, caches.Caches, races.Races)


def cases(module: str, base: type, mixins=MIXINS, prefix: str = '') -> dict[str, type]:
    """Return a test class for each mixin, by name, to be put into the namespace of the module."""
    return {prefix + mixin.__name__: type(prefix + mixin.__name__, (mixin, base), {'__module__': module})
            for mixin in mixins}

"""The verdict on one disk: which format it has, whether that is the declared one, and whether it may pass."""
import logging

from glance import exceptions
from glance.inspect import checks
from glance.inspect.base import Inspector
from glance.inspect.formats import catalog
from glance.inspect.formats.vhd import Vhd
from glance.inspect.rules import Rules
from glance.inspect.scan import Scan

LOG = logging.getLogger(__name__)

KERNEL_PARTS = frozenset({'aki', 'ari'})
AMAZON = frozenset({'ami'}) | KERNEL_PARTS
HARMLESS_IN_RAW = frozenset({'raw', 'gpt', 'iso'})
REFUSED_IN_RAW = frozenset({'ploop'})
FAILED = 'Image format inspection failed.'


class Disk:
    """Judges a stream by the format that is declared for it, as early as the verdict is certain.

    After ``finish``, ``detected`` is the format found (``raw`` when none was, None when there were several) and
    ``virtual_size`` the size of the disk in bytes, None when it is not known.

    :param declared: a disk format as the API knows it
    :raises InvalidImageData: from ``update`` and ``finish``
    """

    def __init__(self, declared: str, rules: Rules):
        self.detected: str | None = None
        self.virtual_size: int | None = None
        self._declared = declared
        self._rules = rules
        self._tolerated = {*rules.gpt_nonfatal, *(('mbr',) if declared in KERNEL_PARTS else ())}
        self._inspectors = [kind(rules) for kind in catalog.ALL]
        self._scan = Scan(self._inspectors, self._judge_early)

    def update(self, data: memoryview) -> None:
        self._scan.update(data)

    def finish(self) -> None:
        self._scan.finish()
        self._check_safety()
        matched = self._matched()
        self._check_virtual_size(matched)
        if len(matched) > 1:
            self._warn_mismatch('several formats')
            return
        self._check_partitions(matched)
        for inspector in matched:
            for warning in inspector.warnings:
                LOG.warning('The data of an image in format %s: %s', inspector.format, warning)
        self.detected = _format(matched)
        self._conclude(self.detected, matched)

    def leave(self) -> None:
        """The rest of the stream will not be seen: tell what is known of it."""
        matched = self._matched()
        if len(matched) > 1:
            self._warn_mismatch('several formats')
        elif not self._is_open(matched) and not self._fits(_format(matched)):
            self._warn_mismatch(_format(matched))

    def _judge_early(self) -> None:
        """Refuse what can't become acceptable any more."""
        self._check_safety()
        if not self._scan.decided:
            return
        matched = self._matched()
        self._check_virtual_size(matched)
        if len(matched) < 2 and not self._is_open(matched):
            self._fits(_format(matched))
            self._check_partitions(matched)

    def _is_open(self, matched: list[Inspector]) -> bool:
        """Whether only the end will tell: a fixed VHD is raw data before its footer."""
        return self._declared == 'vhd' and {inspector.name for inspector in matched} <= {'gpt'}

    def _check_safety(self) -> None:
        for inspector in self._inspectors:
            if inspector.failed and (inspector.matched or self._must_be(inspector.name)):
                raise exceptions.InvalidImageData(FAILED)
            if inspector.unsafe and inspector.name != 'gpt':
                raise checks.refusal(inspector.format, inspector.unsafe)

    def _must_be(self, name: str) -> bool:
        return name == self._declared and self._rules.require_match

    def _matched(self) -> list[Inspector]:
        """The inspectors whose format the stream has, less what is only the inside of another one.

        :raises InvalidImageData: when there are several and a match is required
        """
        matched = [inspector for inspector in self._inspectors if inspector.matched]
        names = {inspector.name for inspector in matched}
        if names == {'iso', 'gpt'} or names == {'vhd', 'gpt'} and _wraps_raw(matched):
            matched = [inspector for inspector in matched if inspector.name != 'gpt']
        if len(matched) > 1 and self._rules.require_match:
            raise checks.refusal(' and '.join(inspector.format for inspector in matched), 'multiple_formats')
        return matched

    def _check_partitions(self, matched: list[Inspector]) -> None:
        """The partition table counts only where it is the outermost format."""
        for inspector in matched:
            if inspector.name == 'gpt' and inspector.unsafe:
                if inspector.unsafe not in self._tolerated:
                    raise checks.refusal('gpt', inspector.unsafe)
                inspector.warnings.append('check %s failed' % inspector.unsafe)

    def _check_virtual_size(self, matched: list[Inspector]) -> None:
        limit = self._rules.max_virtual_size
        if limit and any((inspector.virtual_size or 0) > limit for inspector in matched):
            raise checks.refusal(matched[0].format, 'virtual_size')

    def _fits(self, detected: str) -> bool:
        """Whether the format found may go under the declared one.

        :raises InvalidImageData: when it does not and a match is required
        """
        declared = self._declared
        if declared == detected:
            return True
        if declared == 'raw':
            fits = detected not in REFUSED_IN_RAW and (
                detected in HARMLESS_IN_RAW or self._rules.raw_mismatch_policy == 'warn')
        elif declared in AMAZON:
            fits = detected in ('raw', 'gpt')
        else:
            fits = detected == 'raw' and declared not in catalog.RECOGNISED
        if not fits and self._rules.require_match:
            raise checks.refusal('%s declared, %s found' % (declared, detected), 'mismatch')
        return fits

    def _conclude(self, detected: str, matched: list[Inspector]) -> None:
        declared = self._declared
        if not self._fits(detected):
            self._warn_mismatch(detected)
            return
        if declared == 'raw' and detected not in HARMLESS_IN_RAW:
            self._warn_mismatch(detected)
        if declared == 'raw' or declared in AMAZON or detected == 'gpt':
            self.virtual_size = self._scan.size
        elif matched:
            self.virtual_size = matched[0].virtual_size
        if 0 < self._rules.max_virtual_size < (self.virtual_size or 0):
            raise checks.refusal(detected, 'virtual_size')

    def _warn_mismatch(self, detected: str) -> None:
        LOG.warning('The data of an image declared as %s is %s', self._declared, detected)


class Guard:
    """Looks for virtual disks where none belongs: at the start of a container, or in a member of one that is no disk.

    Refuses what is unsafe, and every other disk too when told so. After ``finish``, ``detected`` is the format of the
    disk that was found, None when there is none.

    :param container: container format that must not be a disk itself; None where a disk is only taken note of
    """

    def __init__(self, rules: Rules, container: str | None = None):
        self.detected: str | None = None
        self._container = container
        self._require_match = rules.require_match
        self._inspectors = [kind(rules) for kind in catalog.VIRTUAL_DISKS]
        self._scan = Scan(self._inspectors, self._judge)

    def update(self, data: memoryview) -> None:
        self._scan.update(data)

    def finish(self) -> None:
        self._scan.finish()
        self._judge()
        if self._container and self.detected:
            LOG.warning('The data of an image in container format %s is %s', self._container, self.detected)

    def _judge(self) -> None:
        for inspector in self._inspectors:
            if inspector.failed and inspector.matched:
                raise exceptions.InvalidImageData(FAILED)
            if inspector.unsafe:
                raise checks.refusal(inspector.format, inspector.unsafe)
            if inspector.matched:
                self.detected = inspector.format
        if self._container and self.detected and self._require_match and self._scan.decided:
            raise checks.refusal('%s declared, %s found' % (self._container, self.detected), 'mismatch')


def _format(matched: list[Inspector]) -> str:
    return matched[0].format if matched else 'raw'


def _wraps_raw(matched: list[Inspector]) -> bool:
    return any(isinstance(inspector, Vhd) and inspector.wraps_raw for inspector in matched)

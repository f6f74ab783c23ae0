"""What a check has found, and how checks are run."""
import dataclasses
import enum
import logging
from collections.abc import Callable, Iterable, Iterator

from oslo_config import cfg

from glance.exceptions import GlanceError

LOG = logging.getLogger(__name__)


class Verdict(enum.IntEnum):
    """How bad it is; the values are exit codes."""

    SUCCESS = 0
    WARNING = 1
    FAILURE = 2


@dataclasses.dataclass(frozen=True, slots=True)
class Finding:
    """A sentence that says what is fine, or what is wrong and what to do."""

    verdict: Verdict
    text: str


def fine(text: str) -> Finding:
    """Nothing has to be done."""
    return Finding(Verdict.SUCCESS, text)


def warning(text: str) -> Finding:
    """The service works; something is unsafe, or about to go wrong."""
    return Finding(Verdict.WARNING, text)


def failure(text: str) -> Finding:
    """The service does not work, or cannot be trusted."""
    return Finding(Verdict.FAILURE, text)


@dataclasses.dataclass(frozen=True, slots=True)
class Check:
    """A subject with the function that looks at it. When that yields nothing, ``otherwise`` is what it found."""

    title: str
    look: Callable[[cfg.ConfigOpts], Iterable[Finding]]
    otherwise: str = 'Nothing was found.'


@dataclasses.dataclass(frozen=True, slots=True)
class Result:
    """The findings of a check, at least one."""

    title: str
    findings: tuple[Finding, ...]

    @property
    def verdict(self) -> Verdict:
        """The worst of them."""
        return max(finding.verdict for finding in self.findings)


def run(checks: Iterable[Check], conf: cfg.ConfigOpts) -> Iterator[Result]:
    """Do one check after the other; what keeps a check from being done is a failure among its findings."""
    for check in checks:
        findings = []
        try:
            findings.extend(check.look(conf))
        except (GlanceError, cfg.Error) as error:
            findings.append(failure(str(error)))
        except Exception as error:
            LOG.debug('%s could not be checked', check.title, exc_info=True)
            findings.append(failure('This could not be checked: %s: %s (--debug tells more)'
                                    % (type(error).__name__, ' '.join(str(error).split()))))
        yield Result(check.title, tuple(findings) or (fine(check.otherwise),))


def exit_code(results: Iterable[Result]) -> int:
    """Return 0 when all is well, 1 for warnings, 2 for failures."""
    return int(max((result.verdict for result in results), default=Verdict.SUCCESS))

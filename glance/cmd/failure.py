"""What programs say when they fail: one line ``ERROR: …`` on stderr."""
import sys


def fail(text: str, code: int = 1) -> int:
    """Say why the program fails; returns its exit code."""
    print('ERROR: ' + ' '.join(text.split()), file=sys.stderr)
    return code


def fail_unexpectedly(error: Exception, code: int = 1) -> int:
    """Say what nobody expected, and how to learn more; returns the exit code."""
    return fail('%s: %s (run again with --debug for details)' % (type(error).__name__, error), code)

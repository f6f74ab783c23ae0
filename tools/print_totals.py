"""Print the result of the last stestr run in one line, and end with an exit code that agrees with it.

Argument: the exit code of ``stestr run``. A run that ended badly without a failed test (a worker died, the tests could
not be loaded) counts as one failure, so that the line never says less than the exit code.
"""

import re
import subprocess
import sys


def totals(summary: str) -> tuple[int, int, int]:
    """Passed, failed and skipped tests from the text of ``stestr last``."""
    counts = {name: int(number) for name, number in re.findall(r'^ - ([A-Z][A-Za-z ]+): (\d+)$', summary, re.MULTILINE)}
    passed = counts.get('Passed', 0) + counts.get('Expected Fail', 0)
    failed = counts.get('Failed', 0) + counts.get('Unexpected Success', 0)
    return passed, failed, counts.get('Skipped', 0)


def main() -> int:
    code = int(sys.argv[1])
    last = subprocess.run(['stestr', 'last'], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    passed, failed, skipped = totals(last.stdout)
    if code and not failed:
        failed = 1
    print(f'\n{passed} passed, {failed} failed, {skipped} skipped')
    return code or int(failed > 0 or passed == 0)


if __name__ == '__main__':
    sys.exit(main())

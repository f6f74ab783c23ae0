"""Results as text: the table and the JSON that other OpenStack services print too, and plain lines."""
import json
import textwrap
from collections.abc import Iterable, Sequence

from glance.diagnosis.result import Result, Verdict

_WIDTH = 60
_LABELS = {Verdict.SUCCESS: 'ok', Verdict.WARNING: 'warning', Verdict.FAILURE: 'failure'}
_LINE_WIDTH = 110


def table(title: str, results: Sequence[Result]) -> str:
    """Return one bordered cell for each result."""
    cells = [_cell(result) for result in results]
    width = max(len(line) for cell in ([title], *cells) for line in cell)
    border = '+-%s-+' % ('-' * width)
    lines = [border, '| %s |' % title.ljust(width), border]
    for cell in cells:
        lines += ['| %s |' % line.ljust(width) for line in cell] + [border]
    return '\n'.join(lines)


def _cell(result: Result) -> list[str]:
    lines = ['Check: ' + result.title, 'Result: ' + result.verdict.name.capitalize()]
    for number, finding in enumerate(result.findings):
        text = finding.text if number else 'Details: ' + finding.text
        lines += textwrap.wrap(text, _WIDTH, subsequent_indent='  ', break_on_hyphens=False)
    return lines


def as_json(title: str, results: Iterable[Result]) -> str:
    """Return the results as JSON, with numbers for verdicts."""
    return json.dumps({'name': title, 'checks': [
        {'check': result.title, 'result': int(result.verdict),
         'details': '\n'.join(finding.text for finding in result.findings)} for result in results]})


def lines(results: Iterable[Result]) -> str:
    """Return a paragraph for each finding, beginning with its verdict and the title of the check."""
    found = []
    for result in results:
        for finding in result.findings:
            head = '%-9s %s: ' % ('[%s]' % _LABELS[finding.verdict], result.title)
            found += textwrap.wrap(head + finding.text, _LINE_WIDTH, subsequent_indent=' ' * 10, break_long_words=False,
                                   break_on_hyphens=False)
    return '\n'.join(found)

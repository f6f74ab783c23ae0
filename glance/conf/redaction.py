"""Credentials in the log: whatever writes it, libraries included, none of these leaves the process.

Hidden are passwords in URLs, the values of query parameters, headers and JSON members whose names say that they are secret,
keys of Ceph and the ids of trusts. A token is replaced by the beginning of its digest, so that lines about the same one can
still be found together.
"""
import hashlib
import logging
import re
from collections.abc import Callable, Iterator

_MASK = '***'
_SECRET_NAMES = ('token', 'secret', 'passw', 'key', 'sig', 'credential', 'auth', 'x-amz-')
_USER_INFO = re.compile(r'://[^\s\'"<>]{0,1024}@')
# A name may be long, but no more than this of it is looked at.
_PARAMETER = re.compile(r'([?&;](?!sort_key=)[^=&;?\s]{0,64}?(?:%s)[^=&;?\s]{0,64}=)[^&;\s\'"<>]+' % '|'.join(_SECRET_NAMES),
                        re.IGNORECASE)
_TOKEN = re.compile(r'((?:x-(?:auth|service|storage|subject)-token)\\?[\'"]?\s*[:=,]\s*+(?:b?\\?[\'"])?+)(?!\{SHA256\})'
                    r'([^\s\'",;\\}]+)', re.IGNORECASE)
_HEADER = re.compile(r'(\b(?:authorization|cookie)\\?[\'"]?\s*[:=,]\s*(?:b?\\?[\'"])?)(?:[a-z]+\s+)?'
                     r'[^\s\'",\\}]+', re.IGNORECASE)
_MEMBER = re.compile(r'(\\?[\'"][a-z_-]{0,64}(?:password|secret)\\?[\'"]\s*[:=]\s*b?\\?[\'"])[^\'"\\]*', re.IGNORECASE)
_CEPH_KEY = re.compile(r'\bAQ[A-Za-z0-9+/]{36}==')
_TRUST = re.compile(r'(trust_?id\\?[\'"]?\s*[:=]\s*\\?[\'"]?)[0-9a-f]{32}\b', re.IGNORECASE)


# What is hidden, and words one of which stands in every line that holds such a thing: most lines hold none, and to look for
# words takes a hundredth of the time.
_RULES: tuple[tuple[tuple[str, ...], re.Pattern[str], str | Callable[[re.Match[str]], str]], ...] = (
    (('@',), _USER_INFO, '://' + _MASK + '@'),
    (('-token',), _TOKEN, lambda match: match[1] + _digest(match[2])),
    (_SECRET_NAMES, _PARAMETER, r'\g<1>' + _MASK),
    (('authorization', 'cookie'), _HEADER, r'\g<1>' + _MASK),
    (('password', 'secret'), _MEMBER, r'\g<1>' + _MASK),
    (('trust',), _TRUST, r'\g<1>' + _MASK),
    (('==',), _CEPH_KEY, _MASK))


def redact(text: str) -> str:
    """Return the text without the credentials in it."""
    lowered = text.lower()
    for words, pattern, replacement in _RULES:
        if any(word in lowered for word in words):
            text = pattern.sub(replacement, text)
    return text


def install() -> None:
    """Have every handler of the log write redacted lines; to be called after the log was set up, as often as it is."""
    for handler in _handlers():
        if not isinstance(handler.formatter, _Redacting):
            handler.setFormatter(_Redacting(handler.formatter or logging.Formatter()))


class _Redacting(logging.Formatter):
    """Another formatter, whose lines are redacted when they are complete: texts of errors and tracebacks too."""

    def __init__(self, formatter: logging.Formatter):
        super().__init__()
        self._formatter = formatter

    def format(self, record: logging.LogRecord) -> str:
        return redact(self._formatter.format(record))


def _digest(token: str) -> str:
    return '{SHA256}' + hashlib.sha256(token.encode('utf-8', 'replace')).hexdigest()[:12]


def _handlers() -> Iterator[logging.Handler]:
    yield from logging.root.handlers
    for logger in list(logging.root.manager.loggerDict.values()):
        if isinstance(logger, logging.Logger):
            yield from logger.handlers

"""Credentials in the log: whatever writes it, libraries included, none of these leaves the process.

Hidden are passwords in URLs, the values of query parameters, headers and JSON members whose names say that they are secret,
keys of Ceph and the ids of trusts. A token is replaced by the beginning of its digest, so that lines about the same one can
still be found together.
"""
import hashlib
import logging
import re
from collections.abc import Iterator

_MASK = '***'
# What no line without a credential has to be searched for.
_SUSPICIOUS = re.compile(r'://|[?&;]|token|auth|cookie|secret|passw|trust|AQ', re.IGNORECASE)
_USER_INFO = re.compile(r'://[^\s\'"<>]{0,1024}@')
# A name may be long, but no more than this of it is looked at.
_PARAMETER = re.compile(r'([?&;](?!sort_key=)[^=&;?\s]{0,64}?(?:token|secret|passw|key|sig|credential|auth|x-amz-)'
                        r'[^=&;?\s]{0,64}=)[^&;\s\'"<>]+', re.IGNORECASE)
_TOKEN = re.compile(r'((?:x-(?:auth|service|storage|subject)-token)\\?[\'"]?\s*[:=,]\s*+(?:b?\\?[\'"])?+)(?!\{SHA256\})'
                    r'([^\s\'",;\\}]+)', re.IGNORECASE)
_HEADER = re.compile(r'(\b(?:authorization|cookie)\\?[\'"]?\s*[:=,]\s*(?:b?\\?[\'"])?)(?:[a-z]+\s+)?'
                     r'[^\s\'",\\}]+', re.IGNORECASE)
_MEMBER = re.compile(r'(\\?[\'"][a-z_-]{0,64}(?:password|secret)\\?[\'"]\s*[:=]\s*b?\\?[\'"])[^\'"\\]*', re.IGNORECASE)
_CEPH_KEY = re.compile(r'\bAQ[A-Za-z0-9+/]{36}==')
_TRUST = re.compile(r'(trust_?id\\?[\'"]?\s*[:=]\s*\\?[\'"]?)[0-9a-f]{32}\b', re.IGNORECASE)


def redact(text: str) -> str:
    """Return the text without the credentials in it."""
    if not _SUSPICIOUS.search(text):
        return text
    text = _USER_INFO.sub('://%s@' % _MASK, text)
    text = _TOKEN.sub(lambda match: match[1] + _digest(match[2]), text)
    for pattern in (_PARAMETER, _HEADER, _MEMBER, _TRUST):
        text = pattern.sub(r'\g<1>' + _MASK, text)
    return _CEPH_KEY.sub(_MASK, text)


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

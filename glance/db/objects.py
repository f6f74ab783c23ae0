"""Objects of stores: which location holds which, so that nobody's deletion takes the data of somebody else.

A location that names an object holds it until the data is gone. What web servers deliver is held by nobody: any number of
images may have their data there, and none of them ever deletes it.
"""
import hashlib
import urllib.parse

_NOBODYS = ('http', 'https')


def hash_of(url: str) -> str | None:
    """Return what stands for the object that a URL names, however its characters are encoded; None for nobody's."""
    scheme, separator, rest = url.partition('://')
    if not separator or scheme.lower() in _NOBODYS:
        return None
    return hashlib.sha256(('%s://%s' % (scheme.lower(), urllib.parse.unquote(rest))).encode()).hexdigest()

"""What the key manager keeps for images: the certificates of their signatures, and the keys that encrypt them.

It may import ``db``, ``domain``, ``transfer``, ``conf`` and ``exceptions``; castellan is imported when it is first needed. It
knows nothing of HTTP or of the layers.
"""

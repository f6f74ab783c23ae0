"""Stores: where the bytes of images are kept.

``base`` defines the small interface of a store, ``location`` the URIs, ``backends`` the configured stores of the
process, ``drivers`` one module per kind of backend. A store moves bytes and nothing else: it never hashes, counts,
limits or inspects (``transfer`` does). It may import ``exceptions`` and ``conf``; it knows nothing of images, HTTP or
policy.
"""

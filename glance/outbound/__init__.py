"""Requests that the service makes to addresses that users choose: which of them are allowed, and making them.

Every such request, and every hop of it, goes through ``uri_filter``; ``fetch`` makes it. It may import ``exceptions``
and ``conf``; it knows nothing of images, of stores, or of what the bytes are for.
"""

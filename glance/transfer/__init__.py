"""Moving bytes: the one pipeline behind every upload, download, import, copy and cache fill.

A source is read in large pooled buffers; each buffer is handed to all sinks (hashes, limits, the writer of a store) at
once. It may import ``exceptions`` and ``store.base``; it knows nothing of images, HTTP, policy or the database.
"""

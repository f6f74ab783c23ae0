"""Long work: who holds the right to finish it, and what happens when its worker dies.

It may import ``db``, ``store``, ``exceptions`` and ``conf``; it knows nothing of HTTP or of the request that began the work.
"""

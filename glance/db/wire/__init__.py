"""The DAL as messages: what glance-registry and its clients agree on.

``operations`` reads the signatures of ``glance.db.interface.Database`` once and makes of each operation how its
arguments and its result are written and read; ``codecs`` does that for one type, ``errors`` for what is raised. Both ends
work from the same table, so that an operation added to the interface needs nothing here. It may import ``exceptions`` and
the interface; it knows nothing of HTTP or of who asks.
"""

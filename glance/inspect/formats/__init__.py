"""Disk formats, one module each: how a format is recognised, what makes a file of it unsafe, where its size is written.

An inspector may import ``inspect.base`` and ``inspect.rules`` only; it knows neither the other formats nor what the
image declares. Offsets and sizes are in bytes and count from the start of the stream unless said otherwise.
"""

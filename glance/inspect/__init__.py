"""What the bytes of an image are, whether they are safe, and how large their disk is, found out while they stream by.

``engine.Inspection`` is a sink of the byte pipeline. It may import ``exceptions`` only; it knows nothing of options,
HTTP, stores or images, never seeks, never stores a byte and keeps a bounded amount of memory.
"""

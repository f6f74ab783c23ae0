"""The image cache of a node: files of images that were read from slow stores, so that the next reader gets them from here.

It may import ``tasks``, ``transfer``, ``store``, ``db`` and what is below; it knows nothing of HTTP, policy or who asks: the
layer ``glance.layers.cache`` consults it after every check.
"""

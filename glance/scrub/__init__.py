"""Data that nobody needs any more: that of deleted images goes, and what no record knows is found.

It may import ``environment`` and the rooms below, never ``api`` or ``wsgi``. It works with the rights of the service itself
and asks no policy: who may delete an image was decided when it was deleted.
"""

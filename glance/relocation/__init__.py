"""Relocation: copies and moves the data of images between stores, and corrects what records say of where it is.

All of it happens beside a running service. It may import ``transfer``, ``tasks``, ``store`` and ``db``; it knows nothing of
command lines and requests.
"""

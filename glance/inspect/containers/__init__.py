"""Containers around disks: archives and compressed files, looked into while they stream by.

They may import the rest of ``inspect`` except ``engine``; they know nothing of the image beyond its declared formats.
What is malformed is told to ``problems.Problems``; what is unsafe raises.
"""

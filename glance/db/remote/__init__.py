"""The DAL spoken to glance-registry: ``database`` implements the interface, the other modules carry its messages.

``exchange`` is one HTTP connection, ``endpoints`` the kept connections to one or several registries and what is known of
their health, ``identity`` how this service says who it is. It may import ``exceptions``, ``conf``, the interface and
``glance.db.wire``; it knows nothing of images.
"""

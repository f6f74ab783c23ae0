"""What ``glance.db.interface`` promises, proven for every implementation on its real engine.

``images``, ``lists``, ``members`` and ``races`` hold the tests as mixins, ``sql`` those of engines that speak SQL; one module
for each implementation says how its database is made. Knows only the interface.
"""

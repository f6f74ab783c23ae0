"""What ``glance.store.base`` promises, proven for every driver on its real backend.

``suite`` holds the tests as a mixin; one module per driver says how its store is made. Knows only the interface of
stores and, to tell whether anything is left behind, what its backend holds.
"""

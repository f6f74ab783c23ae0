"""What takes minutes to install or much memory to run: Ceph, Cinder, a simulated vCenter. ``tox -e stores`` runs it."""

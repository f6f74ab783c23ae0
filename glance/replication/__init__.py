"""Images between services and directories: what ``glance-replicator`` does, as a client of the HTTP API.

May import glance.domain and glance.exceptions. Must not know databases, stores, or how the services are built.
"""

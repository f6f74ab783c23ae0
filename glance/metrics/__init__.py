"""What a service counts and measures of itself, summed over its processes, for Prometheus and its relatives.

May import glance.exceptions, glance.conf and prometheus-client. Knows no HTTP, no database and no store: the parts of the
service are handed a ``recorder.Metrics`` with the environment and tell it what happens.
"""

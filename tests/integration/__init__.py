"""Glance together with other real programs: Keystone and the clients that people use.

What is needed is installed or started by the tests; a service that cannot be had is a failure, not a skip.
"""

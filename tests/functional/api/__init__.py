"""The image API over HTTP: a real glance-api, its database and its stores, seen as clients and operators see them.

May import tests.harness; must know glance only from the outside: its configuration, its HTTP interface, its files.
"""

"""Glance, the image service of an OpenStack cloud.

The package is divided into rooms (cmd, conf, domain, layers, db, store, transfer, api, wsgi …); the docstring of each
room says what it is for and what it may import. Imports point one way: cmd → wsgi, api → gateway → layers → domain, db,
store, transfer.
"""

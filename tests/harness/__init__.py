"""What the functional and integration tests stand on: real daemons, real databases, a real Keystone, an HTTP client.

Everything has a random name or port and is removed by its own stop() or drop(), so that any number of test processes
run side by side. Knows Glance only from the outside: its configuration files, programs and HTTP interface.
"""

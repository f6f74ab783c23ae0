"""The HTTP server, and the way from a paste file to a WSGI application.

eventlet lives here and nowhere else, and nothing is monkey-patched: the hub accepts and parses, native threads run the
application. The server half may import glance.exceptions only and must not know what the application does.
"""

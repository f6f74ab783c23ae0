"""The HTTP server on its own: real processes and sockets, with a small application in place of the image API.

May import glance.wsgi and the standard library; must not know the application that the server was made for.
"""

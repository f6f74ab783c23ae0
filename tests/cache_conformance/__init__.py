"""What every driver of the image cache promises, and what the cache promises with each of them.

``suite`` holds the tests; one module per driver runs them.
"""

"""What an image and its member are: plain data and its rules.

No input, no output, no request context, no clock that is not handed in. It may import ``exceptions`` and nothing else of
the project; every other room may import it.
"""

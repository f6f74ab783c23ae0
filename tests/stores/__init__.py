"""The conformance suite of stores, and what else drivers promise, on real servers that tools/backends starts."""

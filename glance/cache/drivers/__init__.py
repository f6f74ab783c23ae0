"""Where the cache keeps its books: one module per driver, all with the interface of ``base``."""

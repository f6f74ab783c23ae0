"""The v2 API: one module per resource, with the parsing and the views that belong to it."""

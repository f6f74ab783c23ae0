"""Programs and databases as they are in production: real processes, real servers, no network beyond the host."""

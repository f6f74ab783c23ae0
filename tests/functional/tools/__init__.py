"""The programs beside the servers, as operators run them."""

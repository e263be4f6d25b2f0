"""Dynamic batching: from the texts of many requests to few calls of the device."""

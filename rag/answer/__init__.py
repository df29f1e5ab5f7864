"""From evidence to a checked answer."""

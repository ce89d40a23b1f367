"""Instructions that a device takes for an update, on a virtual board."""

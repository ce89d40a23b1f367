"""Pictures: found, decoded, prepared for the network; names of classes."""

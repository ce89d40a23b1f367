"""Instructions, flash and RAM of compiled networks on virtual boards."""

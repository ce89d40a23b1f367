"""Middle: from the network to a scheduled, planned program."""

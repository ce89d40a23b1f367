"""The one place that wires stages together: from a plan to a judged output folder."""

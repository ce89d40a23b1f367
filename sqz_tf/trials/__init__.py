"""The paper's experiments over its design space: points, what each takes, how well it learns."""

"""The accelerator in Amaranth: one module a unit. `accelerator` joins them; `records` says what passes between them."""

"""Networks as hardware: a program of jobs for an accelerator in Amaranth, whose Verilog any tool can read."""

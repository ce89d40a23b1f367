"""A network on an FPGA: its files, its simulation, its place on a device."""

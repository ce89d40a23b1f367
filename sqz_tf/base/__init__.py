"""What every package may use: errors, specs, statistics, the console, units, what a pixel is."""

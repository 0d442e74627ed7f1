"""What Lockgate costs and gains, measured: `make bench`."""

"""What every package uses: errors, atomic writes, parameters, processes. Small, and rarely changed."""

"""The crash matrix: a process that charges is killed at every await, and the money is counted."""

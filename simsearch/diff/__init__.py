"""What changed between two generations."""

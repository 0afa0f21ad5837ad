"""Registry records → a published generation."""

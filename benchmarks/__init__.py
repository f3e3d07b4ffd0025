"""What the package costs, measured against the stock pattern. ``python -m benchmarks`` runs all."""

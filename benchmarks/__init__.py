"""The cost of the package, compared with the stock pattern. ``python -m benchmarks`` runs all."""

"""The JSON API: its routes and the shapes of its answers."""

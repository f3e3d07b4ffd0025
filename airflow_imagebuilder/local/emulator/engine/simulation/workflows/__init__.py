"""How the workflows of an image run."""

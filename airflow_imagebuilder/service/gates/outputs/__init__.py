"""Whether the outputs of an image are what its distribution configuration asks for."""

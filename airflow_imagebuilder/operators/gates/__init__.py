"""The operators that judge an image, or whether to build one. They change nothing."""

"""Submit, find again and repair an image: exactly one, whichever process dies."""

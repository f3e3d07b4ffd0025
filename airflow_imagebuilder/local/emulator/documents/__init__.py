"""The documents that people write: workflows and components, read as the User Guide describes them."""

"""The kinds of value that a member of a request can have, each with its check."""

"""The kinds of value that a member of a request can have, with a check per kind."""

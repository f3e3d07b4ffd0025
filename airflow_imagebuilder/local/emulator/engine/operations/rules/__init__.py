"""What Image Builder refuses, and what it makes of a request."""

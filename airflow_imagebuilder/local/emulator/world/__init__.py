"""What the local Image Builder does to other AWS services, and asks them."""

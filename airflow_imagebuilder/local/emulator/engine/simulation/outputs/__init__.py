"""The outputs of images: AMIs and container images, their copies, and what other services hear of them."""

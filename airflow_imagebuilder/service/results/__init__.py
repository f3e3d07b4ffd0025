"""What AWS answers about an image: the result, its workflows, the failure."""

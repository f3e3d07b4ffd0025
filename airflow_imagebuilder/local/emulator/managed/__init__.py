"""What Amazon manages: workflows with their documents, components and images, in every region."""

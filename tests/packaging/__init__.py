"""What is handed to people: the packages, the bundle, the image."""

"""What the api and the workers agree on about documents."""

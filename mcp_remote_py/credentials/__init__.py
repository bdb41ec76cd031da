"""What is kept between two starts: records, and the state that is not a secret."""

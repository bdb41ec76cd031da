"""Signs requests with AWS keys: reads the keys, keeps them, and reads them again in time."""

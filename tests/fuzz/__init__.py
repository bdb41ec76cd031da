"""Any bytes, at every border of the program: what is checked is more than the absence of an error."""

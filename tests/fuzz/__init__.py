"""Any bytes, at every border of the program; what is checked is more than that it goes on."""

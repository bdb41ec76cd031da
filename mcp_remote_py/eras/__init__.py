"""The sans-IO core for protocol eras: what a message must look like for the other side."""

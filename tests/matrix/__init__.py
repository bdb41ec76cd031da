"""Every client with every server, through the command (promises E1 to E3)."""

"""What the config files of hosts look like, and how an entry is put in and taken out: pure."""

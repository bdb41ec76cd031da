"""OAuth conversations without I/O: synchronous generators that say what they want done."""

"""What clients send, read strictly: one module per noun, and every mistake in a body named at once."""

"""What is known of text without a model."""

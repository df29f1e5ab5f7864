"""Text analysis without a model: terms, sentences, protected words, planted instructions."""

"""Make a corpus follow a folder."""

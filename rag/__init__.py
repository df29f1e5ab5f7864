"""Online: from a question to a checked answer. Imports none of the other packages."""

"""Sources that disagree: claims compared by their values, and distinguished by date, region and version.

find      compares the answer's evidence with all other evidence
claims    whether two sentences say the same kind of thing, with different values
values    amounts with their unit, and dates, in a sentence
editions  date, version and region of a document
regions   countries and large cities in a text
"""

"""Which characters the bytes of a text file mean.

decode.py    bytes to text: marks, UTF-8, what the file declares, what it most likely is; `DecodedText`
labels.py    the names of encodings as browsers understand them
repair.py    UTF-8 with a few bytes of an older encoding in it
detect.py    which older encoding a file is in
letters.py   how often languages use the letters that ASCII has not
"""

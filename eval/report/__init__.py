"""Reports of a run, and the tables of the documentation.

render      text, Markdown, JUnit and JSON of a run or a gate
page        the HTML page; plots draws its figures
markdown    figures as Markdown tables
tables      writes the tables of README and `docs/`; yardstick has those of questions that people asked
"""

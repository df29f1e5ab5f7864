"""Read presentations: a page for each slide.

presentation.py the deck: slides in order, what their masters show, authors of comments
slide.py        a slide: title, shapes in reading order, notes, comments
shapes.py       what a shape holds: text, table, chart, SmartArt, picture, group
layout.py       where a placeholder stands, as its layout and master say
order.py        reading order of boxes
"""

"""A diagnosis shown: on one HTML page, in the terminal, in a notebook, as JSON. No rule and no threshold lives here.

`presentation` titles and groups what all views show, `figures` turns a run into marks on a plane, `tables` into rows,
the templates turn it into HTML. All of it is drawn as SVG of our own with colours from the style sheet: so a figure
follows light and dark and the width of the window, its words stay text (readable at any size, escaped like all else),
and no plotting library is loaded.
"""

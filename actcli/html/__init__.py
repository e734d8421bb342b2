"""A toolkit for HTML pages that knows nothing of networks: elements, charts, pictures, the page.

A page is one file. It loads nothing, runs no script, and has colours for light and dark pages.
"""

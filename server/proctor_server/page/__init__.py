"""The operator's page: how the service does, its batches and problems, for a browser.

It shows what the API would tell the same caller, and nothing more. Everything on it that came from
a program or its author is hostile text: templates escape it, and the browser is told to run no
script and take no style but ours.
"""

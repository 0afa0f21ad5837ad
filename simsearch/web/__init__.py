"""The page, the HTTP API, the list to embed and the server for assistants, over one index.

A face: it parses, asks and shows. `app.create_app` puts it together, `serving` runs it.
"""

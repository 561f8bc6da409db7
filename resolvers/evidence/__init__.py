"""Evidence: photographs and documents that clients upload.

`content_types` checks uploaded bytes; `strip_images` and `strip_documents` remove their metadata. `store` holds the
bytes, `uploads` the rows that describe them, and `attach` connects evidence to what it proves. `signed_urls` signs and
checks the addresses under which evidence is read; `evidence_urls` gives them to the graph. `open_uploads` has uploads
in pieces, and `evidence_status` says which files have arrived.
"""

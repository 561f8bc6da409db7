"""The register over HTTP: commanders import files, and get tables as workbooks."""

"""How it is served: the application, its settings, its pages and its command line."""

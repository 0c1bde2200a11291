"""The web application. It never imports torch, transformers or the worker."""

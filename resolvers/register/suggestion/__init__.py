"""Suggests a mapping for files, by the names of their columns in Chinese and English and by their values."""

from resolvers.register.suggestion.mapping_text import common_folder, suggest

__all__ = ["common_folder", "suggest"]

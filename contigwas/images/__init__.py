"""Photographs and volumes become one uint8 array: size, quality measures, and which images were dropped and why."""

"""Decode photographs and volumes into one uint8 array, with quality measures and exclusion reasons."""

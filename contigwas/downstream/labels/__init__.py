"""Labels of samples, not of pixels: classes, grades, several labels at once, and measurements."""

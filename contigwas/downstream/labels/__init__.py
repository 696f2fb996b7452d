"""Classification and regression: binary, multiclass, ordinal and multilabel targets, and measurements of samples."""

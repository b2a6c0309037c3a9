"""Stage `evaluate`: a served model's metrics, test predictions and plots."""

"""Stage `page`: the report as one HTML file, the model card, and the components that such pages are made of."""

"""What an export says of itself: report.json, report.html, the model card."""

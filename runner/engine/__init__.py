"""What acts on a plan: it runs the steps, keeps the journal, and knows no job."""

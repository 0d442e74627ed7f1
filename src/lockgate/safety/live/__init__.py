"""What only a live database tells: rules that the texts know nothing of, and answers to those that they do."""

"""What clients pay and what their plans allow: payments, subscriptions, invoices, books, usage."""

"""Taking the money of a payment intent, whoever asks: a checkout, a request without the customer, an invoice."""

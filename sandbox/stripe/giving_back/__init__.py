"""What happens to a payment afterwards: refunds, disputes and fraud warnings, driven by requests and by levers."""

"""What mails say: for each event a function from its payload to words, the same for text and HTML."""

"""The pages of the sandbox: checkout, receipts, the control page, mail."""

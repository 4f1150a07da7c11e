"""The operator's console: a full-screen program over all servers of this user. Nothing else imports it."""

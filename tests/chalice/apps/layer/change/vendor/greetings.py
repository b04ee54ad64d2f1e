WELCOME = "Welcome again"

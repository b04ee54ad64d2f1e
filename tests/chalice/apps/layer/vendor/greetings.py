WELCOME = "Welcome"

"""The command line: one thin module a command; only here the clock is read, text is printed and the program exits."""

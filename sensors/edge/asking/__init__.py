"""What the agent asks for and answers, from the words of a command to the broker."""

"""What is said aloud to the agent, and when: answers, notices, the break reminder."""

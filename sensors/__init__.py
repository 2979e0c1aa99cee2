"""What runs on the agent's machine; this top level imports no device driver."""

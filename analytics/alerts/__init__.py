"""From episodes and faults to alerts, requests and notices: one table of states, within the budget. Pure."""

"""The operations by topic; each parses, calls what the page of the same topic calls, and sends what came."""

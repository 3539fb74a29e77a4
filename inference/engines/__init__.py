"""What runs a model: one protocol (`protocol`), and engines that load their libraries when they are made."""

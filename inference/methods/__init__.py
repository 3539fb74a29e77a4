"""Ways to spend test-time compute (s1 §3, §4.2, §6.2), each a frozen dataclass of options over one runner.

`METHODS` names them, `method_from_json` and `method_to_json` store them; `inference.runner.run` carries them out.
"""

"""What is shown: one module a topic, every public function or class a snippet."""

"""What the pytest plugin does once it is used; ``dissonance.pytest_plugin`` holds the hooks and imports this lazily."""

"""Hours of use in minutes: ``python -m tests.soak --minutes 30``. Not part of ``make test``."""

"""For all tests: hypothesis without deadlines, because test machines are busy and the first example loads libraries."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("aecodec", deadline=None)
settings.load_profile("aecodec")

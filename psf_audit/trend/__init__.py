"""How one deployment fared over several assessments: what each found, and since when each gap has been there."""

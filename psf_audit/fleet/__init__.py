"""Many deployments at once: found, assessed in processes of their own, kept by digest, and shown as one portfolio."""

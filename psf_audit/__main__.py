"""`python -m psf_audit` is the same program as `psf-audit`."""

from psf_audit.cli.main import main

if __name__ == "__main__":
    main()

"""Where the rubrics and templates that ship with the program are.

A wheel carries them inside the package, in `psf_audit/_data`. A checkout, and so an editable install, has them at its
top level. The wheel's place is looked at first, so that an installed program never picks up a `templates/` folder of
whatever project it was installed into.
"""

from pathlib import Path

from psf_audit.errors import ConfigurationError

DEFAULT_RUBRIC = "psf-agentic@1"

_PACKAGE = Path(__file__).resolve().parent


def rubrics_dir() -> Path:
    """The folder of the shipped rubrics, one folder for each rubric."""
    return _shipped("rubrics")


def overlays_dir() -> Path:
    """The folder of the shipped overlays, one folder for each."""
    return rubrics_dir() / "overlays"


def templates_dir() -> Path:
    """The folder of the templates that the reports are rendered from."""
    return _shipped("templates")


def _shipped(name: str) -> Path:
    installed = _PACKAGE / "_data" / name
    if installed.is_dir():
        return installed
    checkout = _PACKAGE.parent
    if (checkout / "pyproject.toml").is_file() and (checkout / name).is_dir():
        return checkout / name
    message = f"{name}/: not part of this installation of psf-audit (looked in {installed} and {checkout / name})"
    raise ConfigurationError(message, hint="install psf-audit again, from a wheel or from a complete checkout")

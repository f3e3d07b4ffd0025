"""The documentation site: built by ``make docs``, offline, every warning an error."""

from __future__ import annotations

import sys
from pathlib import Path

import airflow_imagebuilder

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(Path(__file__).parent / "_extensions"))

project = "airflow_imagebuilder"
copyright = "the authors of airflow_imagebuilder, Apache-2.0"  # noqa: A001 (Sphinx's name)
release = airflow_imagebuilder.__version__
version = release

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx_copybutton", "repository", "reference"]
source_suffix = {".md": "markdown"}
# These folders hold the files that pages show, and no pages.
exclude_patterns = ["testing-your-dags/**", "how-to/dags/**", "_extensions/**"]
# Pygments does not know every operator of Terraform. Tests read the JSON and the Python of the pages.
suppress_warnings = ["misc.highlighting_failure"]

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 4

autodoc_class_signature = "separated"
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the parameters are described; a signature of thirty types is not read

html_theme = "furo"
html_title = f"airflow-imagebuilder {release}"
html_favicon = "../airflow_imagebuilder/ui/static/icon.svg"
html_static_path = ["_static"]
html_css_files = ["custom.css"]
html_copy_source = False
html_show_sphinx = False
# No page loads anything from another host: a site that is built offline is also read offline.
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#0b6b4f", "color-brand-content": "#0b6b4f"},
    "dark_css_variables": {"color-brand-primary": "#5fd3a8", "color-brand-content": "#5fd3a8"},
}
copybutton_prompt_text = r"\$ |>>> "
copybutton_prompt_is_regexp = True
copybutton_exclude = ".linenos, .gp, .go"

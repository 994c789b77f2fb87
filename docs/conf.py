"""How the manual is built: ``sphinx-build -W -b html docs docs/_build/html``."""

import sys
from pathlib import Path

import genviz

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "genviz"
author = copyright = "the genviz developers"
version = release = genviz.__version__
language = "en"

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_click",
    "sphinx_copybutton",
    "api_pages",
    "config_reference",
    "mathml",
]
exclude_patterns = ["_build", "**/.ipynb_checkpoints"]

# Every link within the manual and to genviz's own names must resolve; other projects' names are left as code.
nitpicky = True
nitpick_ignore = [("py:class", "genviz.training.schema.fraction")]  # a function, within an annotation
nitpick_ignore_regex = [(r"py:.*", r"(?!genviz(\.\w+)*$).*")]
default_role = "py:obj"
smartquotes = False  # a command's quotes are to be copied

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
myst_heading_slug_func = "mdit_py_plugins.anchors.index.slugify"  # GitHub's anchors, so that links work there, too

nb_execution_mode = "auto"
nb_execution_timeout = 600  # seconds a cell; a whole tutorial takes one to two minutes on two idle cores
nb_execution_raise_on_error = True
nb_output_stderr = "remove"
nb_merge_streams = True

autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
napoleon_use_rtype = False
python_maximum_signature_line_length = 80
add_module_names = False

html_theme = "furo"
html_title = f"genviz {release}"
html_static_path = ["_static"]
html_css_files = ["settings.css"]
html_math_renderer = "mathml"
html_copy_source = False
copybutton_prompt_text = r"\$ |>>> |\.\.\. "
copybutton_prompt_is_regexp = True

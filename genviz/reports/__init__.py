"""Reports as HTML pages, from Jinja2 templates."""

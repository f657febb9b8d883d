"""A web page to try a model: `Studio` computes, `app` answers requests, templates/ and static/ are the page."""
